"""Sums of squares and counts against float64."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend

to_numpy = keras.ops.convert_to_numpy


@pytest.mark.parametrize("shape", [(), (1,), (3, 3, 64, 128), (1_500_000,)], ids=str)
def test_squared_norms_are_good_to_1e_6_however_large_the_tensor(shape):
    array = (1e-3 * np.random.default_rng(0).normal(size=shape)).astype("float32")
    expected = np.sum(array.astype("float64") ** 2)
    np.testing.assert_allclose(
        to_numpy(backend.squared_norms([keras.ops.convert_to_tensor(array)])), [expected], rtol=2e-6
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_squared_norms_of_half_precision_neither_overflow_nor_vanish(dtype):
    large = keras.ops.cast(np.full(100, 3000.0), dtype)
    small = keras.ops.cast(np.full(100, 1e-6), dtype)
    expected = [np.sum(to_numpy(t).astype("float64") ** 2) for t in (large, small)]
    np.testing.assert_allclose(to_numpy(backend.squared_norms([large, small])), expected, rtol=1e-6)


def test_missing_tensors_count_as_zeros():
    assert to_numpy(backend.squared_norms([None, None])).tolist() == [0.0, 0.0]
    assert to_numpy(backend.squared_norms([keras.ops.ones(4), None])).tolist() == [4.0, 0.0]


def test_nonfinite_counts_count_entries_and_not_overflowing_sums():
    arrays = [np.array(values, "float32") for values in ([1.0, np.nan, np.inf, -np.inf], [1e30, 1e30], [0.0])]
    large = np.ones((3, 1000, 2), "float32")
    large[1, 5:12] = np.nan
    tensors = [keras.ops.convert_to_tensor(array) for array in (*arrays, large)] + [None]
    squares, counts = backend.norms_and_nonfinite(tensors)
    assert to_numpy(counts).tolist() == [3.0, 0.0, 0.0, 14.0, 0.0]
    np.testing.assert_array_equal(to_numpy(squares), to_numpy(backend.squared_norms(tensors)))


@pytest.mark.parametrize("shape", [(), (7,), (1024,), (1025,), (3, 3, 64, 128)], ids=str)
def test_norms_of_weights_and_changes_against_float64(shape):
    rng = np.random.default_rng(0)
    old, new = (rng.normal(size=shape).astype("float32") for _ in range(2))
    variables = [keras.Variable(old), keras.Variable(np.ones(5, "float32"))]
    before = backend.snapshot(variables)
    norms = backend.squared_norms(before)
    variables[0].assign(new)
    weights, changes = backend.weight_and_change_norms(variables, before, norms)
    np.testing.assert_allclose(to_numpy(weights), [np.sum(old.astype("float64") ** 2), 5.0], rtol=2e-6)
    np.testing.assert_allclose(to_numpy(changes), [np.sum((new.astype("float64") - old) ** 2), 0.0], rtol=2e-6)
