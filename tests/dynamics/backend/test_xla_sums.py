"""Sums for XLA in few kernels, and the order in which it makes the gradients."""

import importlib
import re

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.backend.small_tensors import TOGETHER

to_numpy = keras.ops.convert_to_numpy
only_jax = pytest.mark.skipif(keras.config.backend() != "jax", reason="the sums are made for XLA, and the order is its")


def joint_sums(terms, *lists):
    """Of arrays; the module imports JAX."""
    xla_sums = importlib.import_module("unetdyn.dynamics.backend.xla_sums")
    joined = [xla_sums.joined([keras.ops.convert_to_tensor(array) for array in arrays]) for arrays in lists]
    return to_numpy(xla_sums.joint_sums(terms, *joined))


@pytest.fixture(params=[0, 1500, TOGETHER], ids=["large", "mixed", "small"])
def limit(request, monkeypatch):
    """How many entries are packed; "large" leaves every tensor by itself."""
    monkeypatch.setattr("unetdyn.dynamics.backend.xla_sums._table", lambda: request.param)


@only_jax
@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("sizes", [[(5,), ()], [(2048,), (1024,), (1025,)], [(3, 3, 32, 64), (64,), (1,)]], ids=str)
def test_joint_sums_are_each_tensors_sum(sizes):
    rng = np.random.default_rng(0)
    left, right = ([rng.normal(size=shape).astype("float32") for shape in sizes] for _ in range(2))
    found = joint_sums(lambda a, b: [a, a * b, b != 0], left, right)
    pairs = list(zip(left, right, strict=True))
    expected = [
        [a.sum(dtype="float64") for a in left],
        [np.sum(a.astype("float64") * b) for a, b in pairs],
        [np.count_nonzero(b) for b in right],
    ]
    assert found.shape == (3, len(sizes))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def on_one_device(kind):
    """A distribution over one device of the CPU: who asks sees which it is."""
    if kind == "DataParallel":
        return keras.distribution.DataParallel(devices=["cpu:0"])
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), ["cpu:0"])
    return keras.distribution.ModelParallel(layout_map=keras.distribution.LayoutMap(mesh), batch_dim_name="batch")


@only_jax
@pytest.mark.usefixtures("limit")
def test_a_nan_stays_in_the_sum_of_its_own_tensor():
    arrays = [np.ones(3000, "float32"), np.array([1, np.nan], "float32"), np.full((2, 2), 5, "float32")]
    assert joint_sums(lambda a: [a], arrays).tolist() == [[3000, pytest.approx(np.nan, nan_ok=True), 20]]


@only_jax
@pytest.mark.parametrize(("kind", "joined"), [("DataParallel", True), ("ModelParallel", False)])
def test_sums_are_joined_and_gradients_settled_where_each_device_has_whole_weights(kind, joined):
    tensors = [keras.ops.arange(3000, dtype="float32"), keras.ops.ones(3000)]
    variables = [keras.Variable([1.0])]
    expected = joint_sums(lambda a: [a, 2 * a], tensors)
    with on_one_device(kind).scope():
        np.testing.assert_allclose(joint_sums(lambda a: [a, 2 * a], tensors), expected, rtol=1e-6)
        settled = backend.settled(tensors)
        assert backend.joined_places(variables) == ([0] if joined else [])
    assert any(after is before for after, before in zip(settled, tensors, strict=True)) != joined
    for after, before in zip(settled, tensors, strict=True):
        np.testing.assert_array_equal(to_numpy(after), to_numpy(before))


def test_settled_gradients_have_the_same_values_in_the_same_places():
    rng = np.random.default_rng(0)
    shapes = [None, (3,), (2, 40, 30), None, (2000,), (2, 3), ()]
    arrays = [None if shape is None else rng.normal(size=shape).astype("float32") for shape in shapes]
    found = backend.settled([None if array is None else keras.ops.convert_to_tensor(array) for array in arrays])
    for gradient, array in zip(found, arrays, strict=True):
        assert (gradient is None) == (array is None)
        if array is not None:
            assert tuple(gradient.shape) == array.shape
            np.testing.assert_array_equal(to_numpy(gradient), array)
    assert backend.settled([]) == []
    assert backend.settled([None]) == [None]


@only_jax
def test_the_compiled_step_has_one_barrier_with_the_last_gradients_first():
    import jax

    gradients = [np.ones(shape, "float32") for shape in [(9,), (8,), (2, 3), (7,), (40, 40), (2000,)]]
    text = jax.jit(lambda g: backend.settled(g)).lower(gradients).as_text()
    (barrier,) = [line for line in text.splitlines() if "optimization_barrier" in line]
    assert re.findall(r"tensor<(\d+)xf32>", barrier) == ["2000", "1600", "6", "9"]


def barriers(variables, step):
    """The shapes in each barrier of a step that is traced with the variables' values."""
    import jax

    def traced(values):
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            told = step()
        return told, [scope.get_current_value(variable) for variable in variables]

    text = jax.jit(traced).lower([variable.value for variable in variables]).as_text()
    lines = [line for line in text.splitlines() if "optimization_barrier" in line]
    return [re.findall(r"tensor<([\dx]*)f32>", line.rpartition(":")[2]) for line in lines]


@only_jax
def test_small_weights_are_updated_behind_the_table_of_all_of_them():
    variables = [keras.Variable(np.ones(shape, "float32")) for shape in [(2, 3), (70_000,), (5,)]]

    def step():
        values = backend.snapshot(variables)
        before = backend.before_update(variables, values)
        for variable in variables:
            variable.assign_add(keras.ops.ones_like(variable.value))
        return backend.weight_and_change_norms(variables, before, backend.squared_norms(values))

    assert barriers(variables, step) == [["2x1024x", "2x3x", "5x"]]


@only_jax
def test_what_is_kept_is_overwritten_behind_the_product_with_it():
    last = [keras.Variable(np.ones(shape, "float32"), trainable=False) for shape in [(4, 2), (3,)]]
    new = [keras.ops.ones((4, 2)), keras.ops.ones(3)]
    assert barriers(last, lambda: backend.product_with_last(last, new)) == [["", "4x2x", "3x"]]


@only_jax
def test_change_of_float64_weights_is_taken_before_it_is_rounded():
    import jax

    with jax.enable_x64(True):
        variable = keras.Variable(np.ones(3), dtype="float64")
        before = backend.before_update([variable], backend.snapshot([variable]))
        variable.assign(variable.value + 1e-10)
        _, changes = backend.weight_and_change_norms([variable], before, None)
    np.testing.assert_allclose(to_numpy(changes), [3e-20], rtol=1e-5)
