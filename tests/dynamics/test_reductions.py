import keras
import numpy as np
import pytest

from unetdyn.dynamics.reductions import nonfinite_counts, squared_norms

to_numpy = keras.ops.convert_to_numpy


@pytest.mark.parametrize("shape", [(), (1,), (3, 3, 64, 128), (1_500_000,)], ids=str)
def test_squared_norms_are_good_to_1e_6_however_large_the_tensor(shape):
    array = (1e-3 * np.random.default_rng(0).normal(size=shape)).astype("float32")
    expected = np.sum(array.astype("float64") ** 2)
    np.testing.assert_allclose(to_numpy(squared_norms([keras.ops.convert_to_tensor(array)])), [expected], rtol=2e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_squared_norms_of_half_precision_neither_overflow_nor_vanish(dtype):
    large = keras.ops.cast(np.full(100, 3000.0), dtype)
    small = keras.ops.cast(np.full(100, 1e-6), dtype)
    expected = [np.sum(to_numpy(t).astype("float64") ** 2) for t in (large, small)]
    np.testing.assert_allclose(to_numpy(squared_norms([large, small])), expected, rtol=1e-6)


def test_missing_tensors_count_as_zeros():
    assert to_numpy(squared_norms([None, None])).tolist() == [0.0, 0.0]
    assert to_numpy(squared_norms([keras.ops.ones(4), None])).tolist() == [4.0, 0.0]


def test_nonfinite_counts_count_entries_and_not_overflowing_sums():
    tensors = [np.array(values, "float32") for values in ([1.0, np.nan, np.inf, -np.inf], [1e30, 1e30], [0.0])]
    tensors = [keras.ops.convert_to_tensor(t) for t in tensors] + [None]
    assert to_numpy(nonfinite_counts(tensors, squared_norms(tensors))).tolist() == [3.0, 0.0, 0.0, 0.0]
