"""The learning rate of an optimizer, where a control between epochs may set it."""

from typing import Any

import keras

from unetdyn.callbacks.logged_number import number_of
from unetdyn.dynamics.optimizers import inner


def check_rate_is_settable(who: str, optimizer: keras.Optimizer) -> None:
    """Refuse a rate that a schedule computes from the step's number: two hands on it would undo each other.

    Args:
        who: The control.
        optimizer: The model's; in a `LossScaleOptimizer` and a `MultiOptimizer`, those that are inside count.

    Raises:
        ValueError: If the rate of any is no variable.

    Example:
        >>> rate = keras.optimizers.schedules.CosineDecay(0.1, 100)
        >>> check_rate_is_settable("StabilityControl", keras.optimizers.SGD(rate))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: `StabilityControl` needs a learning rate that it can set. ... Received: learning_rate=CosineDecay.
    """
    for each in _updating(optimizer):
        rate = getattr(each, "_learning_rate", None)
        if not hasattr(rate, "assign"):
            raise ValueError(
                f"`{who}` needs a learning rate that it can set. A schedule computes the rate of each step from its "
                "number, inside the compiled step: give the optimizer a number instead, or leave this control out. "
                f"Received: learning_rate={type(rate).__name__}."
            )


def rates_of(optimizer: keras.Optimizer) -> list[float]:
    """The rates as they are now: one, or as many as a `MultiOptimizer` has optimizers."""
    return [number_of(each.learning_rate) for each in _updating(optimizer)]


def set_rates(optimizer: keras.Optimizer, rates: list[float]) -> None:
    """Let the next steps have these, in the order of `rates_of`.

    >>> optimizer = keras.optimizers.SGD(0.5)
    >>> set_rates(optimizer, [0.25])
    >>> rates_of(optimizer)
    [0.25]
    """
    for each, rate in zip(_updating(optimizer), rates, strict=True):
        each.learning_rate = rate


def _updating(optimizer: keras.Optimizer) -> list[Any]:
    """A `MultiOptimizer` hands its variables on to others, each with a rate of its own."""
    found = inner(optimizer)
    return list(getattr(found, "optimizers", None) or [found])
