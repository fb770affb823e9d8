"""The slots of an optimizer, made before the first step."""

import keras
import numpy as np

from unetdyn.dynamics.optimizers import build_optimizer

X = np.random.default_rng(0).random((12, 4)).astype("float32")


def compiled():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def test_optimizer_that_is_built_beforehand_trains_as_one_that_is_not():
    weights = []
    for beforehand in (False, True):
        model = compiled()
        if beforehand:
            build_optimizer(model)
            assert model.optimizer.built
        model.fit(X, X[:, :1], batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_optimizer_of_a_model_without_shapes_waits_for_the_first_step():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse")
    build_optimizer(model)
    assert not model.optimizer.built
