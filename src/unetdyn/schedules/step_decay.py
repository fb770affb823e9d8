"""A rate that drops every so many steps."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_fraction, check_positive, plain
from unetdyn.schedules.annealing import Tensor, as_float, as_int
from unetdyn.schedules.steps import check_steps


@keras.saving.register_keras_serializable(package="unetdyn")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """η₀ · γ^⌊t / T⌋: the rate drops *at* the steps T, 2T, 3T, …

    Keras' `ExponentialDecay(η₀, T, γ, staircase=True)` means the same, but divides by T in float32: compiled, 41 / 41
    may come out below 1, and the rate drops a step late, as it does for many T; here whole numbers are divided.
    `PiecewiseConstantDecay` drops at T + 1 by its definition.

    Args:
        initial_learning_rate: η₀.
        drop_steps: T, in steps; see `count_steps`.
        factor: γ, in (0, 1). Default 0.1, the studies'.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = StepDecay(0.5, drop_steps=41, factor=0.5)
        >>> [float(rate(step)) for step in (0, 40, 41, 82)]
        [0.5, 0.5, 0.25, 0.125]
    """

    def __init__(self, initial_learning_rate: float, drop_steps: int, factor: float = 0.1) -> None:
        check_positive("initial_learning_rate", initial_learning_rate)
        check_steps("drop_steps", drop_steps)
        check_fraction("factor", factor)
        self.initial_learning_rate = plain(initial_learning_rate)
        self.drop_steps = plain(drop_steps)
        self.factor = plain(factor)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, which is counted from 0."""
        drops = as_float(ops.floor_divide(as_int(step), self.drop_steps))
        rounded = float(np.float32(self.factor))
        lost = math.log(self.factor / rounded) if rounded else 0.0  # by rounding, at each drop
        return self.initial_learning_rate * ops.power(as_float(rounded), drops) * ops.exp(lost * drops)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "drop_steps": self.drop_steps,
            "factor": self.factor,
        }
