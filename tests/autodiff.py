"""Gradients by the backend's own automatic differentiation, as NumPy: what `fit` would feel."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def gradient(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """d Σ function(x) / dx at a float32 array."""
    backend = keras.backend.backend()
    x = np.asarray(x, dtype="float32")
    if backend == "tensorflow":
        import tensorflow as tf

        tensor = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            total = tf.reduce_sum(function(tensor))
        return tape.gradient(total, tensor).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda t: function(t).sum())(x))
    import torch

    tensor = torch.tensor(x, requires_grad=True)
    function(tensor).sum().backward()
    return tensor.grad.numpy()
