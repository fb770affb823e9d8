"""The rates of a schedule as a compiled step sees them: the step number is a tensor, and no constant is folded."""

import keras
import numpy as np


def rates(schedule, steps):
    """The rate at each of the steps, from one compiled function."""
    return np.array([float(value) for value in map(_compiled(schedule), np.asarray(steps, "int32"))])


def _compiled(schedule):
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(lambda step: schedule(step))
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec((), tf.int32)]
        return tf.function(lambda step: schedule(step), input_signature=signature, autograph=False)
    return lambda step: schedule(keras.ops.convert_to_tensor(step))


def close(found, expected, highest, tolerance=1e-7):
    """Whether rates are within `tolerance` of the largest of them; the reference is in double precision."""
    error = np.abs(found - np.asarray(expected, "float64")).max() / highest
    assert error <= tolerance, f"off by {error:.3g} of the largest rate"
