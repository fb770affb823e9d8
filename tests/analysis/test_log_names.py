"""The names of other frameworks, as Keras would write them."""

import pytest

from unetdyn.analysis import read_history
from unetdyn.analysis.log_names import keras_names


@pytest.mark.parametrize(
    ("logged", "name"),
    [
        ("train_loss", "loss"),
        ("Loss/train", "loss"),
        ("loss/train", "loss"),
        ("training_loss", "loss"),
        ("train/loss", "loss"),
        ("train_loss_epoch", "loss"),
        ("epoch_loss", "loss"),
        ("epoch/loss", "loss"),
        ("valid_loss", "val_loss"),
        ("val/loss", "val_loss"),
        ("Loss/val", "val_loss"),
        ("Loss/validation", "val_loss"),
        ("eval_loss", "val_loss"),
        ("epoch/val_loss", "val_loss"),
        ("validation_dice", "val_dice"),
        ("Dice/val", "val_Dice"),
        ("lr", "learning_rate"),
        ("lr-AdamW", "learning_rate"),
        ("val_jaccard", "val_jaccard"),
        ("epochs_left", "epochs_left"),
        ("trainable", "trainable"),
        ("evaluation", "evaluation"),
    ],
)
def test_name_of_another_framework(logged, name):
    assert keras_names([logged]) == {logged: name}


@pytest.mark.parametrize(
    "logged", ["batch_loss", "batch/loss", "system/gpu", "loss__MIN", "evaluation_loss_vs_iterations"]
)
def test_what_is_no_value_of_an_epoch_is_left_out(logged):
    assert keras_names([logged, "loss"]) == {"loss": "loss"}


def test_name_that_keras_wrote_itself_stays():
    both = ["train_iou", "val_train_iou"]
    assert keras_names(both) == dict(zip(both, both, strict=True))
    assert keras_names(["train_loss", "loss"]) == {"loss": "loss", "train_loss": "train_loss"}
    assert keras_names(["loss_step", "loss_epoch"]) == {"loss_epoch": "loss"}


def test_a_dictionary_of_lists_has_the_names_of_keras_too():
    assert set(read_history({"train_loss": [0.9], "valid_loss": [0.8]})) == {"loss", "val_loss"}
