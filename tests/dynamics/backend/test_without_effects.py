"""A call of the model that changes no variable, and sees the variables as they are."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.backend import backend


@pytest.mark.parametrize("eager", [False, True])
def test_call_in_training_mode_changes_no_variable_and_sees_new_values(eager):
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5, seed=0)])
    model.compile("sgd", "mse", run_eagerly=eager)
    norm = model.layers[0]
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32") + 5

    def look(values):
        model(values, training=True)
        return norm.moving_mean.value * 1, model(values, training=False)

    compiled = backend.without_effects(model, look)
    for shift in (0.0, 2.0):
        norm.beta.assign(np.full(3, shift, "float32"))
        before = [keras.ops.convert_to_numpy(variable.value) for variable in model.variables]
        moving, answers = map(keras.ops.convert_to_numpy, compiled(keras.ops.convert_to_tensor(x)))
        np.testing.assert_allclose(moving, 0.01 * x.mean(axis=0), rtol=1e-4)
        variance = 0.99 + 0.01 * x.var(axis=0)
        np.testing.assert_allclose(answers, (x - moving) / np.sqrt(variance + 1e-3) + shift, rtol=1e-4, atol=1e-5)
        after = [keras.ops.convert_to_numpy(variable.value) for variable in model.variables]
        for left, right in zip(before, after, strict=True):
            np.testing.assert_array_equal(left, right)


def test_call_draws_nothing_from_the_random_state_of_a_training():
    """PyTorch draws a dropout without a seed from its global state."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5)])
    model.compile("sgd", "mse")
    x = keras.ops.ones((64, 3))
    look = backend.without_effects(model, lambda values: model(values, training=True))
    answers = []
    for looks in (0, 2):
        keras.utils.set_random_seed(0)
        model.layers[0].seed_generator.state.assign(np.array([0, 1], "uint32"))
        for _ in range(looks):
            look(x)
        answers.append(keras.ops.convert_to_numpy(model(x, training=True)))
    np.testing.assert_array_equal(*answers)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="modules of PyTorch")
def test_buffers_of_a_module_stay():
    import torch

    module = torch.nn.BatchNorm2d(1)
    model = keras.Sequential([keras.Input((1, 4, 4)), keras.layers.TorchModuleWrapper(module)])
    model.compile("sgd", "mse")
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    backend.without_effects(model, lambda values: model(values, training=True))(keras.ops.ones((2, 1, 4, 4)))
    for name, buffer in module.named_buffers():
        assert torch.equal(buffer, before[name]), name
