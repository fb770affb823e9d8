"""What is known of a compiled loss by its name; models that are never called, so that nothing is traced."""

import keras
import pytest

from unetdyn import losses
from unetdyn.dynamics.loss_kinds import expects_logits, expects_masks, expects_probabilities


def model_with(loss, channels):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(channels)])
    model.compile(loss=loss)
    return model


@pytest.mark.parametrize(
    "loss",
    [
        losses.DiceLoss(),
        losses.TverskyLoss(),
        losses.FocalTverskyLoss(),
        losses.LovaszSoftmaxLoss(),
        losses.BCEDiceLoss(),
    ],
)
def test_losses_of_regions_take_masks_in_one_channel_and_class_numbers_in_several(loss):
    assert [expects_masks(model_with(loss, channels)) for channels in (1, 3)] == [True, False]
    assert [expects_probabilities(model_with(loss, channels)) for channels in (1, 3)] == [True, True]
    of_logits = type(loss)(from_logits=True)
    assert not expects_probabilities(model_with(of_logits, 1))
    assert expects_logits(model_with(of_logits, 1))


def test_hinge_takes_logits_and_boundary_targets_are_no_masks():
    hinge = model_with(losses.LovaszHingeLoss(), 1)
    assert (expects_masks(hinge), expects_probabilities(hinge), expects_logits(hinge)) == (True, False, True)
    boundary = model_with(losses.BoundaryLoss(from_logits=True), 1)
    assert (expects_masks(boundary), expects_probabilities(boundary), expects_logits(boundary)) == (False, False, True)
    deep = model_with(losses.DeepSupervisionLoss(losses.DiceLoss(from_logits=True), 1), 1)
    assert expects_logits(deep)


def test_of_several_losses_the_first_says_whether_it_takes_logits():
    bce = keras.losses.BinaryCrossentropy
    for first in (True, False):
        model = model_with([bce(from_logits=first), bce(from_logits=not first)], 1)
        assert expects_logits(model) is first
