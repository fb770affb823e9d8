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
