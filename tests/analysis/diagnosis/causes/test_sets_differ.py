"""A validation set that is unlike the training's."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, modes, planted, set_up
from unetdyn.analysis.diagnosis.causes import sets_differ


def found(**values):
    return list(sets_differ.find(planted({"batch": batches(**values)})))


@pytest.mark.parametrize(("by", "differ"), [(1e-6, True), (-1e-6, False)])
@pytest.mark.parametrize(
    "values",
    [
        lambda by: {"input_std": 2.0, "val_input_std": 2.0, "val_input_mean": 2 * (sets_differ.SHIFT + by)},
        lambda by: {"val_input_mean": -(sets_differ.SHIFT + by)},
        lambda by: {"val_input_std": sets_differ.SCALE + by},
        lambda by: {"val_input_std": 1 / (sets_differ.SCALE + by)},
        lambda by: {"val_foreground": 0.1 * (sets_differ.SHARE + by)},
        lambda by: {"val_foreground": 0.1 / (sets_differ.SHARE + by)},
    ],
    ids=["mean above", "mean below", "wider", "narrower", "more foreground", "less foreground"],
)
def test_each_difference_has_its_limit(values, by, differ):
    expected = [("sets.differ", "ill", "medium")] if differ else []
    assert [(one.code, one.level, one.confidence) for one in found(**values(by))] == expected


def test_all_differences_are_told():
    (one,) = found(val_input_mean=100.0, val_input_std=50.0, val_foreground=0.5)
    assert one.seen.count(";") == 2


@pytest.mark.parametrize("values", [{"val_foreground": 0.0}, {"input_std": 0.0, "val_input_std": 0.0}])
def test_nothing_to_divide_by(values):
    assert found(**values) == []


def test_medians_are_compared_so_one_odd_epoch_is_none():
    assert found(val_input_mean=np.r_[np.zeros(39), 99.0]) == []


def test_nothing_recorded():
    assert list(sets_differ.find(planted())) == found(val_input_mean=np.nan) == []


OFTEN = int(np.ceil(sets_differ.OFTEN * EPOCHS))


def in_two_modes(count, momentum=0.9, setup=None, **values):
    """Outputs by the batch's own statistics are good, and those by the moving ones bad, in so many epochs."""
    there = np.arange(EPOCHS) >= EPOCHS - count
    gap = modes(inference_loss=np.where(there, 0.9, 0.1), inference_jaccard=np.where(there, 0.1, 0.8))
    norms = [{"layer": "n", "momentum": momentum, "trainable": True}]
    setup = set_up(norms=norms) if setup is None else setup
    found = sets_differ.find(planted({"batch": batches(**values), "mode_gap": gap}, setup=setup))
    return [(one.code, one.level, one.confidence) for one in found]


@pytest.mark.parametrize(("count", "expected"), [(OFTEN, [("sets.differ", "ill", "medium")]), (OFTEN - 1, [])])
def test_modes_that_differ_though_nothing_lags(count, expected):
    assert in_two_modes(count) == expected


def test_both_together_are_beyond_doubt():
    shifted = (sets_differ.SHIFT + sets_differ.FAR_SHIFT) / 2
    assert in_two_modes(OFTEN, val_input_mean=shifted) == [("sets.differ", "ill", "high")]
    assert in_two_modes(OFTEN - 1, val_input_mean=shifted) == [("sets.differ", "ill", "medium")]


@pytest.mark.parametrize(
    "setup", [set_up(norms=[]), set_up(norms=None), {}], ids=["no norms", "not known", "no set-up"]
)
def test_modes_differ_for_other_reasons_without_moving_statistics(setup):
    assert in_two_modes(EPOCHS, setup=setup) == []


def test_statistics_that_can_lag_have_a_rule_of_their_own():
    assert in_two_modes(EPOCHS, momentum=0.99) == []


@pytest.mark.parametrize(("by", "confidence"), [(1e-6, "high"), (-1e-6, "medium")])
@pytest.mark.parametrize(
    "values",
    [
        lambda by: {"val_input_mean": sets_differ.FAR_SHIFT + by},
        lambda by: {"val_input_std": sets_differ.FAR_SCALE + by},
        lambda by: {"val_input_std": 1 / (sets_differ.FAR_SCALE + by)},
    ],
    ids=["mean", "wider", "narrower"],
)
def test_intensities_that_are_far_apart_are_beyond_doubt(values, by, confidence):
    (one,) = found(**values(by))
    assert one.confidence == confidence
