"""Sums for XLA in few kernels, and the order in which it makes the gradients."""

import importlib
import re

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend

to_numpy = keras.ops.convert_to_numpy
only_jax = pytest.mark.skipif(keras.config.backend() != "jax", reason="the sums are made for XLA, and the order is its")


def xla_sums():
    """It imports JAX."""
    return importlib.import_module("unetdyn.dynamics.backend.xla_sums")


@only_jax
@pytest.mark.parametrize("sizes", [[(5,), ()], [(1024,), (1025,), (2048,)], [(3, 3, 32, 64), (64,), (1,)]], ids=str)
def test_joint_sums_are_each_tensors_sum(sizes):
    rng = np.random.default_rng(0)
    groups = [[rng.normal(size=shape).astype("float32") for _ in range(3)] for shape in sizes]
    expected = [[group[place].sum(dtype="float64") for group in groups] for place in range(3)]
    found = to_numpy(
        xla_sums().joint_sums([[keras.ops.convert_to_tensor(array) for array in group] for group in groups])
    )
    assert found.shape == (3, len(sizes))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def on_one_device(kind):
    """A distribution over one device of the CPU: who asks sees which it is."""
    if kind == "DataParallel":
        return keras.distribution.DataParallel(devices=["cpu:0"])
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), ["cpu:0"])
    return keras.distribution.ModelParallel(layout_map=keras.distribution.LayoutMap(mesh), batch_dim_name="batch")


@only_jax
@pytest.mark.parametrize(("kind", "joined"), [("DataParallel", True), ("ModelParallel", False)])
def test_sums_are_joined_and_gradients_settled_where_each_device_has_whole_weights(kind, joined):
    import jax

    tensors = [keras.ops.arange(3000, dtype="float32"), keras.ops.ones(3000)]
    expected = to_numpy(xla_sums().joint_sums([tensors]))
    with on_one_device(kind).scope():
        np.testing.assert_allclose(to_numpy(xla_sums().joint_sums([tensors])), expected, rtol=1e-6)
        sums = str(jax.make_jaxpr(lambda pair: xla_sums().joint_sums([pair]))(tensors))
        settled = backend.settled(tensors)
    assert (f"f32[{xla_sums().PARTS},3]" in sums) == joined  # 3000 of them, and zeros
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
