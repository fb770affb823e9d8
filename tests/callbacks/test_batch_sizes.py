"""The number of images in a step, against epochs of which it is known."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.callbacks import NoiseScaleMonitor
from unetdyn.callbacks.batch_sizes import batch_size_from, batch_size_of, batch_sizes

pytestmark = pytest.mark.usefixtures("untraced")

MODEL = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])


@settings(deadline=None, max_examples=100)
@given(size=st.integers(2, 64), full=st.integers(0, 200), rest=st.integers(1, 64))
def test_batch_size_from_is_exact_for_many_batches_and_close_for_few(size, full, rest):
    rest = min(rest, size)
    samples, steps = size * full + rest, full + 1
    found = batch_size_from(samples, steps)
    if samples == steps:
        assert found is None
    elif rest == size or steps > size:
        assert found == size
    elif full:
        assert found is not None
        assert size * (1 - 1 / full) <= found <= size


@pytest.mark.parametrize(("samples", "steps"), [(None, 3), (0, 3), (3, 3), (2, 3), (5, 4)])
def test_batch_size_from_knows_what_it_cannot_know(samples, steps):
    assert batch_size_from(samples, steps) is None


@pytest.mark.parametrize(
    ("size", "samples", "expected"),
    [(4, 12, [4, 4, 4]), (4, 9, [4, 4, math.nan]), (4, None, [4, 4, math.nan]), (None, 12, [math.nan] * 3)],
)
def test_batch_sizes_leave_a_last_batch_open_that_may_be_smaller(size, samples, expected):
    np.testing.assert_array_equal(batch_sizes(size, 3, samples), expected)


@pytest.mark.parametrize(
    ("samples", "steps", "expected"),
    [(100, 7, None), (8, 2, 4), (9, 2, None), (101, 51, 2), (7, 7, None), (None, 3, None), (8, None, None)],
)
def test_batch_size_from_counted_samples_only_where_it_is_exact(samples, steps, expected):
    assert batch_size_of(MODEL, (), samples, steps) == expected


def test_batch_size_by_a_monitor_comes_first():
    class Counts:
        record = {"images": np.array([9, 9]), "batch_size": np.array([6, 6])}  # noqa: RUF012

    assert batch_size_of(MODEL, [NoiseScaleMonitor(batch_size=3), Counts()], 8, 2) == 6
    assert batch_size_of(MODEL, [NoiseScaleMonitor(batch_size=3)], 8, 2) == 3
    assert batch_size_of(MODEL, [NoiseScaleMonitor()], 8, 2) == 4


def test_batch_size_that_cannot_be_told_is_none_and_never_an_error():
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("not told")

    assert batch_size_of(Broken(), [Broken()], 8.0, 2) is None
