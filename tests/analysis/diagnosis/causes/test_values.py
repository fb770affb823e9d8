"""What goes into the network."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, planted
from unetdyn.analysis.diagnosis.causes import values


def told(**changes):
    found = values.find(planted({"batch": batches(**changes)}))
    return [(one.code, one.level, one.confidence) for one in found]


NOT_FINITE, UNSCALED = ("inputs.nonfinite", "ill", "high"), ("inputs.unscaled", "ill", "high")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"input_max": values.LARGE}, []),
        ({"input_max": values.LARGE + 1e-6}, [UNSCALED]),
        ({"input_min": -values.LARGE - 1e-6}, [UNSCALED]),
        ({"val_input_max": 255.0}, [UNSCALED]),
        ({"input_max": 255.0, "val_input_max": 255.0}, [UNSCALED]),
        ({"input_nonfinite": 1e-9}, [NOT_FINITE]),
        ({"target_nonfinite": 1e-9}, []),
        ({"val_input_nonfinite": 0.5}, [NOT_FINITE]),
        ({"input_nonfinite": np.nan}, []),
        ({"input_nonfinite": 0.1, "val_input_nonfinite": 0.1}, [NOT_FINITE, NOT_FINITE]),
        ({"val_input_nonfinite": 0.1, "val_input_max": 255.0}, [NOT_FINITE, UNSCALED]),
    ],
)
def test_each_set_is_looked_at(changes, expected):
    assert told(**changes) == expected


@pytest.mark.parametrize("prefix", ["", "val_"])
def test_masks_that_are_no_numbers_count_where_the_loss_is_none(prefix):
    """A loss of the user's own may leave out what is unknown."""
    record = {"batch": batches(**{f"{prefix}target_nonfinite": 1e-9})}
    loss = np.r_[np.full(EPOCHS - 1, 0.5), np.nan]
    (found,) = values.find(planted(record, **{f"{prefix}loss": loss}))
    assert found.code == "inputs.nonfinite"
    assert list(values.find(planted(record))) == []


def test_broken_epochs_are_told():
    share = np.where(np.isin(np.arange(EPOCHS), (3, 4, 20)), 0.25, 0.0)
    (one,) = values.find(planted({"batch": batches(val_input_nonfinite=share)}))
    assert one.epochs == ((3, 4), (20, 20))
    assert one.seen == "0.25 of the values of the validation images or masks are no numbers"


def test_range_is_told():
    (one,) = values.find(planted({"batch": batches(input_min=0.0, input_max=255.0)}))
    assert one.seen == "the training images range from 0 to 255"


def test_nothing_recorded():
    assert list(values.find(planted())) == told(input_min=np.nan, input_max=np.nan) == []


def test_epochs_are_those_of_the_record():
    """Of a training that was taken up again at its tenth epoch."""
    (one,) = values.find(planted({"batch": batches(first=10, input_nonfinite=np.r_[0.5, np.zeros(EPOCHS - 1)])}))
    assert one.epochs == ((10, 10),)
