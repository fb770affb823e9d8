"""Columns that grow by epochs, with blocks that come and go."""

import numpy as np
import pytest

from unetdyn.callbacks.step_record import StepRecord


def test_record_joins_epochs_and_fills_absent_blocks():
    record = StepRecord(step=np.zeros(0, np.int64), norm={})
    assert record.arrays["step"].dtype == np.int64
    assert record.arrays["norm"] == {}
    record.append(step=np.arange(2), norm={"a": np.ones(2, np.float32)})
    record.append(step=np.arange(2, 3), norm={"b": np.zeros(1, np.float32)})
    assert len(record) == 3
    np.testing.assert_array_equal(record.arrays["step"], [0, 1, 2])
    np.testing.assert_array_equal(record.arrays["norm"]["a"], [1, 1, np.nan])
    np.testing.assert_array_equal(record.arrays["norm"]["b"], [np.nan, np.nan, 0])
    assert record.arrays["norm"]["b"].dtype == np.float32


def test_record_refuses_rows_that_do_not_fit():
    record = StepRecord(step=np.zeros(0), norm={})
    with pytest.raises(ValueError, match=r"`columns` must be step, norm\. Received: step"):
        record.append(step=np.zeros(1))
    with pytest.raises(ValueError, match=r"must be of one length\. Received: \{'step': \{1\}, 'norm': \{2\}\}"):
        record.append(step=np.zeros(1), norm={"a": np.zeros(2)})
    assert len(record) == 0


def test_record_since_a_row_has_what_was_there_from_it_on():
    record = StepRecord(step=np.zeros(0, np.int64), norm={})
    record.append(step=np.arange(2), norm={"a": np.ones(2, np.float32)})
    record.append(step=np.arange(2, 5), norm={"b": np.arange(3, dtype=np.float32)})
    again = StepRecord(step=np.zeros(0, np.int64), norm={})
    again.set_state(record.get_state())
    again.append(step=np.arange(5, 6), norm={"b": np.zeros(1, np.float32)})
    for row in range(6):
        assert record.since(row)["step"].tolist() == list(range(row, 5))
        assert again.since(row)["step"].tolist() == list(range(row, 6))
    assert record.since(3)["norm"].keys() == {"b"}
    assert record.since(3)["norm"]["b"].tolist() == [1, 2]
    np.testing.assert_array_equal(record.since(1)["norm"]["a"], [1, np.nan, np.nan, np.nan])
