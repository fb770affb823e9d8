"""Small networks for the monitors of a probe set, and NumPy's own account of what they answer."""

import keras
import numpy as np


def images(count=12, seed=0, size=8):
    """Noise, and masks that can be told from it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, size, size, 1)).astype("float32")
    return x, (x > 0.3).astype("float32")


def network(momentum=0.9, dropout=0.0, rate=0.05, size=8, seed=0, **compile_arguments):
    """A batch norm, another one after it, and perhaps a dropout."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="first_conv"),
            layers.BatchNormalization(momentum=momentum, name="first_norm"),
            layers.Dropout(dropout, seed=1),
            layers.Conv2D(4, 3, padding="same", name="second_conv"),
            layers.BatchNormalization(momentum=momentum, name="second_norm"),
            layers.Conv2D(1, 1, activation="sigmoid", name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", **compile_arguments)
    return model


def crossentropy(y, p):
    """Mean over all pixels, probabilities kept 1e-7 away from 0 and 1 as Keras does."""
    p = np.clip(np.asarray(p, "float64"), 1e-7, 1 - 1e-7)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def jaccard(y, p):
    """At 0.5, pooled."""
    true, found = y > 0.5, p > 0.5
    union = (true | found).sum()
    return (true & found).sum() / union if union else 1.0
