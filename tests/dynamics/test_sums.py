import keras
import numpy as np
import pytest

from unetdyn.dynamics.sums import joint_sums, settled

to_numpy = keras.ops.convert_to_numpy
only_jax = pytest.mark.skipif(keras.config.backend() != "jax", reason="the sums are made for XLA, and the order is its")


@only_jax
@pytest.mark.parametrize("sizes", [[(5,), ()], [(1024,), (1025,), (2048,)], [(3, 3, 32, 64), (64,), (1,)]], ids=str)
def test_joint_sums_are_each_tensors_sum(sizes):
    rng = np.random.default_rng(0)
    groups = [[rng.normal(size=shape).astype("float32") for _ in range(3)] for shape in sizes]
    expected = [[group[place].sum(dtype="float64") for group in groups] for place in range(3)]
    found = to_numpy(joint_sums([[keras.ops.convert_to_tensor(array) for array in group] for group in groups]))
    assert found.shape == (3, len(sizes))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@only_jax
def test_joint_sums_of_tensors_laid_out_over_devices_are_the_same():
    tensors = [keras.ops.arange(3000, dtype="float32"), keras.ops.ones(3000)]
    expected = to_numpy(joint_sums([tensors]))
    before = keras.distribution.distribution()
    try:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
        np.testing.assert_allclose(to_numpy(joint_sums([tensors])), expected, rtol=1e-6)
        assert settled(tensors[0]) is tensors[0]
    finally:
        keras.distribution.set_distribution(before)


@pytest.mark.parametrize("shape", [(3,), (2, 40, 30)], ids=str)
def test_a_settled_gradient_has_the_same_values(shape):
    gradient = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))
    np.testing.assert_array_equal(to_numpy(settled(gradient)), to_numpy(gradient))
    assert settled(gradient).shape == gradient.shape
    assert settled(None) is None


@only_jax
def test_the_compiled_step_has_a_barrier_for_large_gradients_alone():
    import jax

    text = jax.jit(lambda *g: [settled(x) for x in g]).lower(np.ones((40, 40)), np.ones(9)).as_text()
    assert text.count("optimization_barrier") == 1
