"""Small tensors as rows of one table, against NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.dynamics.backend.small_tensors import TOGETHER, WIDTH, packed, rows_of, together

shapes = st.lists(st.lists(st.integers(1, 9), max_size=4).map(tuple), min_size=1, max_size=6)


@settings(max_examples=10, deadline=None)
@given(shapes)
def test_each_tensor_begins_in_a_row_of_its_own_and_zeros_fill_its_last(shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype("float32") for shape in shapes]
    table = keras.ops.convert_to_numpy(packed([keras.ops.convert_to_tensor(array) for array in arrays]))
    assert table.shape == (sum(map(rows_of, shapes)), WIDTH)
    row = 0
    for array in arrays:
        own = table[row : row + rows_of(array.shape)].ravel()
        np.testing.assert_array_equal(own[: array.size], array.ravel())
        assert not own[array.size :].any()
        row += rows_of(array.shape)


@pytest.mark.parametrize("size", [WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH])
def test_rows_are_full_before_another_begins(size):
    table = keras.ops.convert_to_numpy(packed([keras.ops.arange(size), keras.ops.ones((), "float16")]))
    assert table.dtype == np.float32
    assert table.ravel()[:size].tolist() == list(range(size))
    assert table[-1, 0] == 1
    assert table.sum() == size * (size - 1) / 2 + 1


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(1, 100))
def test_the_smallest_are_together_up_to_the_limit(sizes, limit):
    chosen = together([(size,) for size in sizes], limit)
    assert chosen == sorted(chosen)
    assert sum(sizes[place] for place in chosen) <= limit
    left = [size for place, size in enumerate(sizes) if place not in chosen]
    if left:
        assert all(sizes[place] <= min(left) for place in chosen)
        assert sum(sizes[place] for place in chosen) + min(left) > limit


def test_all_weights_of_a_small_unet_are_together_and_no_large_one_is():
    assert together([(3, 3, 256, 256), (256,), (3, 3, 384, 128)]) == [0, 1, 2]
    assert together([(TOGETHER + 1,), (2, 3)]) == [1]
    assert together([]) == []
