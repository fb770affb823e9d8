"""A training whose gradient has a closed form, for the controls that clip it by its norms."""

import keras
import numpy as np

LEARNING_RATE = 0.05


def linear_model(optimizer=None):
    """ŷ = x · w with a mean squared error."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer or keras.optimizers.SGD(LEARNING_RATE), "mse")
    model.set_weights([np.array([[0.5], [-1.0], [2.0]])])
    return model


def gradient(w, x, y):
    """Of a batch, in NumPy."""
    return 2 / len(x) * x.T @ (x @ w - y)


def batches(count, seed=0):
    """Batches of four whose gradients scatter over two orders of magnitude."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 4, 3)) * rng.lognormal(0, 0.7, (count, 1, 1))
    return x.astype("float32"), rng.normal(size=(count, 4, 1)).astype("float32")


class Weights(keras.callbacks.Callback):
    """The weights after each batch; on JAX they are in the model only after `self.model` has been asked for."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(self.model.get_weights()[0])


def train(model, callback, x, y, **kwargs):
    """`fit` in order; returns the weights after each batch, and the history."""
    weights = Weights()
    kwargs = {"batch_size": 4, "shuffle": False, "verbose": 0} | kwargs
    history = model.fit(x.reshape(-1, 3), y.reshape(-1, 1), callbacks=[callback, weights], **kwargs)
    return weights.seen, history.history
