"""How a value of `logs` is read."""

from typing import Any

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
