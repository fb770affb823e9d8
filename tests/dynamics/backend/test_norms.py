"""Sums of squares and counts against float64."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend

to_numpy = keras.ops.convert_to_numpy


@pytest.fixture(params=["host", "device"])
def way(request, monkeypatch):
    """PyTorch does some things in another way where the host would have to wait for a device."""
    if request.param == "device":
        if keras.backend.backend() != "torch":
            pytest.skip("there is one way")
        monkeypatch.setattr("unetdyn.dynamics.backend.torch._on_host", lambda tensor: False)


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


@pytest.mark.usefixtures("way")
def test_nonfinite_counts_count_entries_and_not_overflowing_sums():
    arrays = [np.array(values, "float32") for values in ([1.0, np.nan, np.inf, -np.inf], [1e30, 1e30], [0.0])]
    large = np.ones((3, 1000, 2), "float32")
    large[1, 5:12] = np.nan
    tensors = [keras.ops.convert_to_tensor(array) for array in (*arrays, large)] + [None]
    squares, counts = backend.norms_and_nonfinite(tensors)
    assert to_numpy(counts).tolist() == [3.0, 0.0, 0.0, 14.0, 0.0]
    for array, tensor in zip((*arrays, large), tensors, strict=False):
        np.testing.assert_array_equal(to_numpy(tensor), array)
    np.testing.assert_array_equal(to_numpy(squares), to_numpy(backend.squared_norms(tensors)))


@pytest.mark.parametrize("shape", [(), (7,), (1024,), (1025,), (3, 3, 64, 128)], ids=str)
def test_norms_of_weights_and_changes_against_float64(shape):
    rng = np.random.default_rng(0)
    old, new = (rng.normal(size=shape).astype("float32") for _ in range(2))
    variables = [keras.Variable(old), keras.Variable(np.ones(5, "float32"))]
    values = backend.snapshot(variables)
    before, norms = backend.before_update(variables, values), backend.squared_norms(values)
    variables[0].assign(new)
    weights, changes = backend.weight_and_change_norms(variables, before, norms)
    np.testing.assert_allclose(to_numpy(weights), [np.sum(old.astype("float64") ** 2), 5.0], rtol=2e-6)
    np.testing.assert_allclose(to_numpy(changes), [np.sum((new.astype("float64") - old) ** 2), 0.0], rtol=2e-6)


@pytest.mark.usefixtures("way")
def test_half_and_double_precision_entries_are_judged_in_their_own_type():
    tensors = [keras.ops.cast(np.array([6e4, np.nan, 1e-7]), "float16")]
    if keras.backend.backend() != "jax":  # where nothing has 64 bits
        tensors.append(keras.ops.convert_to_tensor(np.array([1e300, -1.0]), "float64"))
    _, counts = backend.norms_and_nonfinite([None, *tensors])
    assert to_numpy(counts).tolist() == [0.0, 1.0, 0.0][: 1 + len(tensors)]


@pytest.mark.usefixtures("way")
def test_nothing_has_no_entries_that_are_not_finite():
    assert [to_numpy(found).tolist() for found in backend.norms_and_nonfinite([None, None])] == [[0.0, 0.0]] * 2


@pytest.mark.usefixtures("way")
def test_product_with_the_last_ones_against_float64_and_then_these_are_the_last():
    rng = np.random.default_rng(0)
    shapes = [(), (3, 5), (1000, 30)]
    old, new = ([rng.normal(size=shape).astype("float32") for shape in shapes] for _ in range(2))
    last = [keras.Variable(array, trainable=False) for array in old]
    found = backend.product_with_last(last, [keras.ops.convert_to_tensor(array) for array in new])
    expected = sum(np.sum(a.astype("float64") * b) for a, b in zip(old, new, strict=True))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-4, atol=1e-3)
    for variable, array in zip(last, new, strict=True):
        np.testing.assert_array_equal(to_numpy(variable.value), array)
    assert float(backend.product_with_last([], [])) == 0.0


def test_read_rows_takes_them_in_the_order_asked_for():
    table = np.arange(12, dtype="float32").reshape(4, 3)
    rows = backend.read_rows(keras.ops.convert_to_tensor(table), np.array([3, 0]))
    np.testing.assert_array_equal(rows, table[[3, 0]])
    rows[:] = 0


def test_count_up_adds_one_each_time():
    variable = keras.Variable(2**24, dtype="int32", trainable=False)
    for _ in range(2):
        backend.count_up(variable)
    assert int(to_numpy(variable.value)) == 2**24 + 2
