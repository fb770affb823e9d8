"""Percentiles and unit-wise clipping against NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.clipping import clip_coefficient, percentile, remember, unit_factors

ops = keras.ops


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


@given(
    norms=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=8),
    q=st.one_of(st.integers(0, 100), st.floats(0, 100)),
)
@settings(deadline=None, max_examples=15)
def test_percentile_is_numpys_of_the_latest_values(norms, q):
    history, count = ops.zeros(5), ops.array(0)
    for norm in norms:
        history, count = remember(history, count, norm)
    expected = np.percentile(np.float64(norms[-5:]), q)
    tiny = np.finfo(np.float32).tiny  # numbers below it may be flushed to 0
    found = float(percentile(history, count, q))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5 * max(norms) + tiny)


def test_percentile_ends_are_the_smallest_and_the_largest():
    history = ops.array([5.0, 2.0, 9.0, 0.0])
    assert float(percentile(history, ops.array(3), 0)) == 2.0
    assert float(percentile(history, ops.array(3), 100)) == 9.0
    assert float(percentile(history, ops.array(0), 50)) == np.inf


def test_remember_leaves_out_what_is_not_finite():
    history, count = ops.zeros(3), ops.array(0)
    for value in (1.0, np.nan, 2.0, np.inf, 3.0, 4.0):
        history, count = remember(history, count, value)
    assert numpy(history).tolist() == [4.0, 2.0, 3.0]
    assert int(count) == 4


def test_clip_coefficient_of_norms_that_are_not_finite():
    norms = ops.array([np.nan, np.inf, 0.0, 2.0])
    assert numpy(clip_coefficient(norms, ops.array(0.5))).tolist() == [1.0, 0.0, 1.0, 0.25]
    assert numpy(clip_coefficient(norms, ops.array(0.0))).tolist() == [1.0, 0.0, 1.0, 0.0]


SHAPES = {
    "dense": ((4, 6), (0,)),
    "bias": ((6,), (0,)),
    "dense of one output": ((4, 1), (0, 1)),
    "einsum": ((4, 3, 6), (0,)),
    "conv 1D": ((3, 4, 6), (0, 1)),
    "conv 2D": ((3, 3, 4, 6), (0, 1, 2)),
    "conv 3D": ((3, 3, 3, 4, 6), (0, 1, 2, 3)),
    "transposed 1D": ((3, 6, 4), (0, 2)),
    "transposed 2D": ((3, 3, 6, 4), (0, 1, 3)),
    "transposed 3D": ((3, 3, 3, 6, 4), (0, 1, 2, 4)),
    "depthwise": ((3, 3, 4, 2), (0, 1)),
    "embedding": ((9, 4), (0,)),
}


def clip_unitwise(gradient, *arguments):
    factors, units = unit_factors(gradient, *arguments)
    return backend.times(gradient, factors), units


@pytest.mark.parametrize(("shape", "axes"), SHAPES.values(), ids=SHAPES)
def test_clip_unitwise_is_a_loop_over_units(shape, axes):
    rng = np.random.default_rng(0)
    weight, gradient = rng.normal(size=shape), rng.normal(size=shape) * rng.lognormal(-4, 2, shape)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    expected, units = gradient.copy(), 0
    for place in np.ndindex(*[shape[axis] for axis in kept]):
        index = [slice(None)] * len(shape)
        for axis, at in zip(kept, place, strict=True):
            index[axis] = at
        limit = 0.02 * max(np.linalg.norm(weight[tuple(index)].ravel()), 1e-3)
        norm = np.linalg.norm(gradient[tuple(index)].ravel())
        if norm > limit:
            expected[tuple(index)] *= limit / norm
            units += 1
    clipped, count = clip_unitwise(
        ops.convert_to_tensor(gradient, "float32"), ops.convert_to_tensor(weight, "float32"), axes, 0.02, 1e-3
    )
    np.testing.assert_allclose(numpy(clipped), expected, rtol=1e-5)
    assert float(count) == units


def test_clip_unitwise_keeps_the_type_and_sums_in_float32():
    gradient, weight = ops.full((300, 2), 300.0, "float16"), ops.ones((300, 2), "float16")
    clipped, units = clip_unitwise(gradient, weight, (0,), 0.5, 1e-3)  # 300² overflows float16
    assert clipped.dtype == gradient.dtype
    np.testing.assert_allclose(numpy(clipped), 0.5)
    assert float(units) == 2


def test_clip_unitwise_lets_a_unit_of_zeros_grow():
    clipped, _ = clip_unitwise(ops.ones((4, 1)), ops.zeros((4, 1)), (0,), 0.01, 1e-3)
    np.testing.assert_allclose(np.linalg.norm(numpy(clipped)), 1e-5, rtol=1e-5)
