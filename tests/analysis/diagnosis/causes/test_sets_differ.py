"""A validation set that is unlike the training's."""

import numpy as np
import pytest

from planted_runs import batches, planted
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
