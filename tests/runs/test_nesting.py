"""Dictionaries of arrays come back from a run's files as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unetdyn.runs
from unetdyn.runs.nesting import flatten, unflatten

names = st.text(st.characters(codec="ascii", exclude_characters="/"))
arrays = st.lists(st.integers(-9, 9), max_size=3).map(np.array)
records = st.dictionaries(names, arrays | st.dictionaries(st.text(min_size=1), arrays, max_size=3), max_size=4)


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        if isinstance(value, dict):
            assert_equal(value, right[name])
        else:
            np.testing.assert_array_equal(value, right[name])


@settings(deadline=None, max_examples=50)
@given(records)
def test_unflatten_undoes_flatten(record):
    flat = flatten(record)
    assert all(isinstance(value, np.ndarray) for value in flat.values())
    assert_equal(record, unflatten(flat))


def test_nested_arrays_come_back_from_the_disk_in_order(tmp_path):
    writer = unetdyn.runs.RunWriter(tmp_path)
    record = {"step": [0, 1], "norm": {"head": [1.0, 2.0], "first/enc1": [0.5, 0.25]}, "ratio": {}}
    writer.save_arrays("gradient", **record)
    read = unetdyn.runs.open(tmp_path).arrays("gradient")
    assert_equal(record, read)
    assert list(read["norm"]) == ["head", "first/enc1"]
    with np.load(tmp_path / "dynamics/gradient.npz", allow_pickle=False) as file:
        assert file.files == ["step", "norm/head", "norm/first/enc1", "ratio/"]


def test_flatten_refuses_what_it_could_not_undo():
    with pytest.raises(ValueError, match=r"hold no '/'\. Received: 'norm/enc1'"):
        flatten({"norm/enc1": [1.0]})
    with pytest.raises(ValueError, match=r"must not be empty\. Received: norm=\[''\]"):
        flatten({"norm": {"": [1.0]}})
