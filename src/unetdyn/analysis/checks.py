"""Refusals that several analyses share."""

import math

import numpy as np


def check_positive(argument: str, value: float) -> None:
    """Refuse a number that is not above 0.

    >>> check_positive("lr", 0)
    Traceback (most recent call last):
    ValueError: `lr` must be a finite number above 0. Received: lr=0.
    """
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"`{argument}` must be a finite number above 0. Received: {argument}={value!r}.")


def check_count(argument: str, value: int, least: int, unit: str = "epochs") -> None:
    """Refuse what is not a whole number of something.

    >>> check_count("lag", 0, least=1)
    Traceback (most recent call last):
    ValueError: `lag` must be a whole number of epochs, 1 or more. Received: lag=0.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(
            f"`{argument}` must be a whole number of {unit}, {least} or more. Received: {argument}={value!r}."
        )
