"""Values that can't be."""

import numpy as np
import pytest

from planted_runs import EPOCHS, descent, healthy, logged, planted, set_up
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.symptoms import impossible

DICE_SCORE = -0.8 + 0.7 * np.exp(-np.arange(EPOCHS) / 6)  # a Dice with a minus, which is minimised


def loss_named(name):
    return set_up(loss={"name": name, "config": {}})


def test_healthy_values_are_possible():
    assert list(impossible.find(planted(jaccard=np.linspace(0.0, 1.0, EPOCHS), accuracy=np.ones(EPOCHS)))) == []


def test_negative_dice_loss_is_no_impossible_loss():
    for setup in ({}, loss_named("dice"), loss_named("log_cosh_dice"), set_up(loss=None)):
        assert list(impossible.find(planted(loss=DICE_SCORE, val_loss=DICE_SCORE, setup=setup))) == []


@pytest.mark.parametrize("name", ["binary_crossentropy", "weighted_cross_entropy", "BinaryFocalCrossentropy", "focal"])
def test_cross_entropy_is_never_negative(name):
    (found,) = impossible.find(planted(loss=DICE_SCORE, setup=loss_named(name)))
    assert (found.code, found.level, found.curves) == ("loss.impossible", "ill", ("loss",))
    assert found.epochs == ((int(np.argmax(DICE_SCORE < 0)), EPOCHS - 1),)
    assert found.why == f"its loss reached {DICE_SCORE.min():.3g}, which it can't"


@pytest.mark.parametrize("name", ["focal_dice_loss", "bce_minus_dice", "binary_crossentropy, dice", "focal_tversky"])
def test_sum_of_a_cross_entropy_and_a_negative_dice_may_be_negative(name):
    assert list(impossible.find(planted(loss=DICE_SCORE, setup=loss_named(name)))) == []


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "boundary_loss", "config": {}},
        {"name": "deep_supervision_loss", "config": {"loss": {"class_name": "BoundaryLoss", "config": {}}}},
    ],
)
def test_loss_of_distances_has_no_such_bound(loss):
    values = np.linspace(1, -3, EPOCHS)
    assert list(impossible.find(planted(loss=values, setup=set_up(loss=loss)))) == []
    assert len(list(impossible.find(planted(loss=values, setup=loss_named("deep_supervision_loss"))))) == 1


@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_loss_below_a_score_is_impossible(name):
    for least, codes in ((impossible.SCORE, []), (impossible.SCORE - 1e-3, ["loss.impossible"])):
        values = np.r_[np.linspace(1.0, 0.0, EPOCHS - 1), least]
        assert [found.code for found in impossible.find(planted(**{name: values}))] == codes


def test_loss_of_no_masks_may_be_anything():
    """The negative logarithm of a density, the loss of a critic."""
    falls = np.linspace(1.5, -3.2, EPOCHS)
    for beside in ({}, {"val_mae": falls + 4}):
        assert list(impossible.find(logged(loss=falls, val_loss=falls, **beside))) == []
    (found,) = impossible.find(logged(loss=falls, accuracy=np.full(EPOCHS, 0.5)))
    assert found.code == "loss.impossible"


@pytest.mark.parametrize("name", ["jaccard", "val_jaccard", "dice_coef", "val_accuracy", "mean_io_u"])
@pytest.mark.parametrize(("value", "wrong"), [(1 + 1e-6, False), (1.01, True), (-1e-6, False), (-0.01, True)])
def test_overlap_and_accuracy_lie_in_0_to_1(name, value, wrong):
    values = healthy()["val_jaccard"]
    values[7] = value
    evidence = logged(**descent(6, EPOCHS) | {name: values}, metric=name)
    found = [(one.code, one.epochs, one.curves) for one in impossible.find(evidence)]
    assert found == ([("metric.impossible", ((7, 7),), (name,))] if wrong else [])


@pytest.mark.parametrize("name", ["mae", "my_score", "edge_loss", "dice_loss", "psnr"])
def test_other_values_may_be_anything(name):
    evidence = logged(**descent(6, EPOCHS) | {name: np.linspace(3.0, -4.0, EPOCHS)}, metric="jaccard")
    assert list(impossible.find(evidence)) == []


def test_values_that_are_no_numbers_are_not_impossible():
    values = healthy()["val_jaccard"]
    values[3] = np.nan
    assert list(impossible.find(planted(val_jaccard=values, loss=np.full(EPOCHS, np.nan)))) == []


def test_loss_that_is_chosen_as_the_metric_is_no_overlap():
    values = np.linspace(3.0, 1.5, EPOCHS)
    assert list(impossible.find(logged(loss=values, dice_loss=values, metric="dice_loss"))) == []


@pytest.mark.parametrize("extreme", [1.5, -0.25])
def test_farthest_value_is_told(extreme):
    values = healthy()["val_jaccard"]
    values[[7, 20]] = 0.5 * (extreme + float(extreme > 0)), extreme
    (one,) = impossible.find(planted(val_jaccard=values))
    assert one.seen == f"validation Jaccard {extreme:g}, first at epoch 8"


def test_an_overlap_in_per_cent_is_not_impossible():
    percent = Evidence.read({"loss": [0.5, 0.4, 0.3], "val_jaccard": [20.0, 55.0, 71.5]})
    assert list(impossible.find(percent)) == []
