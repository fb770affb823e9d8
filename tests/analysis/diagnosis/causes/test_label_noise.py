"""Masks that are wrong in part."""

import numpy as np
import pytest

from planted_runs import CONSTANT_LOSS, EPOCHS, batches, healthy, logged, planted, set_up
from unetdyn.analysis.diagnosis.causes import label_noise
from unetdyn.analysis.diagnosis.causes.learning_rate import SMALL

FIRST_BETTER, FLOOR = [("labels.noise", "ill", "medium")], [("labels.noise", "ill", "low")]
BEST, AT = 0.6, 10  # validation at its best, and when


def told(evidence):
    return [(one.code, one.level, one.confidence) for one in label_noise.find(evidence)]


def first_better(ahead=label_noise.BETTER + 1e-6, lost=label_noise.LOST + 1e-6):
    """Validation is better than training by so much at its best, and loses such a part of that."""
    validated = np.r_[np.linspace(0.1, BEST, AT + 1), np.full(EPOCHS - AT - 1, BEST * (1 - lost))]
    trained = validated.copy()
    trained[AT] = BEST - ahead
    return {"jaccard": trained, "val_jaccard": validated}


def test_validation_that_was_first_better_than_training():
    assert told(planted(**first_better())) == FIRST_BETTER
    assert told(planted(**first_better(ahead=label_noise.BETTER - 1e-6))) == []
    assert told(planted(**first_better(lost=label_noise.LOST - 1e-6))) == []
    (one,) = label_noise.find(planted(**first_better(0.2, 0.5)))
    assert one.seen == f"validation was 0.2 better than training in epoch {AT + 1}, and lost 50% of its best"


def test_epochs_are_matched_and_those_of_the_logs():
    """Of a training that was taken up again at its tenth epoch, with a validation in every second one."""
    both = first_better(0.2, 0.5)
    logs = {"epoch": 10 + np.arange(EPOCHS), "jaccard": both["jaccard"], "val_jaccard": both["val_jaccard"][1::2]}
    (one,) = label_noise.find(logged(**logs | {"val_jaccard": np.r_[0.1, 0.2, 0.9, np.full(17, 0.4)]}))
    assert "in epoch 16, and lost 56% of its best" in one.seen
    assert one.curves == ("jaccard", "val_jaccard")


def test_few_epochs_say_nothing_of_the_order():
    for epochs, expected in ((label_noise.SOON, FIRST_BETTER), (label_noise.SOON - 1, [])):
        logs = {"jaccard": np.full(epochs, 0.3), "val_jaccard": np.r_[0.6, np.full(epochs - 1, 0.3)]}
        assert told(logged(**logs)) == expected


def test_infinite_values_are_left_out():
    both = first_better()
    both["jaccard"][3] = both["val_jaccard"][3] = np.inf
    assert told(planted(**both)) == FIRST_BETTER


def test_augmentation_makes_validation_the_better_without_harm():
    """Augmented images are harder throughout, and nothing is lost in the end."""
    values = healthy()["val_jaccard"]
    assert told(planted(jaccard=0.8 * values)) == []


def kept_up(part=label_noise.FLOOR + 1e-6, trained=label_noise.KNOWN - 1e-6, setup=None, **curves):
    curves |= {"loss": np.full(EPOCHS, part * CONSTANT_LOSS), "jaccard": np.full(EPOCHS, trained)}
    return planted({"batch": batches()}, setup=setup, **curves)


def test_training_loss_that_stays_up():
    assert told(kept_up()) == FLOOR
    assert told(kept_up(part=label_noise.FLOOR - 1e-6)) == []
    assert told(kept_up(trained=label_noise.KNOWN + 1e-6)) == []


def test_small_updates_keep_the_loss_up_as_well():
    for by, expected in ((1e-6, FLOOR), (-1e-6, [])):
        assert told(kept_up(update_ratio_log10=np.full(EPOCHS, np.log10(SMALL) + by))) == expected


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        (set_up(), FLOOR),
        (set_up(penalty=1e-4), []),
        (set_up(loss={"name": "binary_crossentropy", "config": {"label_smoothing": 0.1}}), []),
    ],
    ids=["neither", "penalty", "label smoothing"],
)
def test_penalty_and_label_smoothing_keep_the_loss_up_by_themselves(setup, expected):
    assert told(kept_up(setup=setup)) == expected


@pytest.mark.parametrize("constant", [np.nan, 9.0])
def test_constant_answer_that_is_unknown_or_far(constant):
    evidence = planted({"batch": batches(constant_loss=constant)}, jaccard=np.full(EPOCHS, 0.5))
    assert told(evidence) == []


def test_nothing_to_say():
    assert told(planted()) == told(planted({"batch": batches()})) == []
    assert told(planted(jaccard=np.full(EPOCHS, 0.1), val_jaccard=np.full(EPOCHS, np.nan))) == []
    falling = {
        "loss": np.full(EPOCHS, 9.0),
        "accuracy": np.full(EPOCHS, 0.1),
        "val_accuracy": np.linspace(0.9, 0.1, EPOCHS),
    }
    assert told(logged({"batch": batches()}, **falling)) == []


def test_loss_that_still_comes_down_to_a_constant_answers_says_nothing_of_the_masks():
    """A network that learns slowly has a loss above the floor too."""
    jaccard = np.full(EPOCHS, 0.2)
    for loss, expected in ((np.linspace(3, 0.9, EPOCHS), []), (np.full(EPOCHS, 0.9), FLOOR)):
        assert told(planted({"batch": batches()}, loss=loss * CONSTANT_LOSS, jaccard=jaccard)) == expected
