"""How a value of `logs` is read, and the learning rate, which is logged beside it."""

from typing import Any

import keras
import numpy as np


def logged_number(value: Any) -> float | None:
    """A single number of `logs` as a float; None for anything else, such as a text or a value for each class.

    >>> logged_number(np.float32(0.5)), logged_number([2]), logged_number("best"), logged_number(np.zeros(3))
    (0.5, 2.0, None, None)
    """
    try:
        return float(np.asarray(value).reshape(()))
    except (TypeError, ValueError, OverflowError):
        return None


def plain_value(value: Any) -> Any:
    """A number as it is; a metric with a value a class is still a tensor in `logs`."""
    return value if isinstance(value, int | float | str) else keras.ops.convert_to_numpy(value)


def learning_rate_of(model: keras.Model) -> dict[str, float]:
    """The learning rate of the step to come, whether constant, scheduled or set by a callback."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    return {} if rate is None else {"learning_rate": number_of(rate)}


def number_of(value: Any) -> float:
    """A scalar variable or tensor as a number: one that is mirrored on several devices can't be made one by `float`.

    >>> number_of(keras.Variable(0.25))
    0.25
    """
    return float(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value)))
