"""Half a cosine again and again."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_count, check_fraction, check_positive, plain
from unetdyn.schedules.annealing import Tensor, along_cosine, as_float, as_int
from unetdyn.schedules.steps import MOST_STEPS, check_steps


@keras.saving.register_keras_serializable(package="unetdyn")
class CosineRestarts(keras.optimizers.schedules.LearningRateSchedule):
    """Cosine annealing with warm restarts: η_min + (η₀ − η_min) · (1 + cos(π t_cur / T_i)) / 2, T_i = T₀ · m^i.

    The last step before a restart is not yet at the floor, and the first after it is at η₀. PyTorch's
    `CosineAnnealingWarmRestarts` value by value. Keras' `CosineDecayRestarts` means the same, but finds the place in
    the period by subtracting large float32 numbers: after eighty periods of one length it is off by 5e-6 of η₀. Here
    whole steps are counted.

    Args:
        initial_learning_rate: η₀, at the beginning of each period.
        first_steps: T₀, steps of the first period; see `count_steps`.
        multiplier: m, a whole number: each period has so many times the steps of the one before. Default 2, the
            paper's best; 1 for periods of one length.
        floor: η_min / η₀, in [0, 1). Default 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = CosineRestarts(0.5, first_steps=10)
        >>> [round(float(rate(step)), 6) for step in (0, 5, 10, 20, 30)]
        [0.5, 0.25, 0.5, 0.25, 0.5]

    Reference:
        Loshchilov & Hutter (2017), SGDR: Stochastic Gradient Descent with Warm Restarts, equation 5.
    """

    def __init__(self, initial_learning_rate: float, first_steps: int, multiplier: int = 2, floor: float = 0.0) -> None:
        check_positive("initial_learning_rate", initial_learning_rate)
        check_steps("first_steps", first_steps)
        check_count("multiplier", multiplier, 1, "times", most=MOST_STEPS)
        check_fraction("floor", floor, zero=True)
        self.initial_learning_rate = plain(initial_learning_rate)
        self.first_steps = plain(first_steps)
        self.multiplier = plain(multiplier)
        self.floor = plain(floor)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, which is counted from 0."""
        step, highest = as_int(step), self.initial_learning_rate
        if self.multiplier == 1:
            step = ops.mod(step, self.first_steps)
        begins = np.array(self._begins())
        lengths = np.diff(begins)
        starts = ops.array(begins[:-1], "int32")
        period = ops.sum(ops.cast(ops.expand_dims(step, -1) >= starts, "int32"), axis=-1) - 1
        done = as_float(step - ops.take(starts, period))
        left = ops.take(ops.array(lengths, "float32"), period) - done
        quarter_turn = ops.take(ops.array(math.pi / 2 / lengths, "float32"), period)
        return along_cosine(done, left, quarter_turn, highest, self.floor * highest)

    def _begins(self) -> list[int]:
        """The first step of each period, and where the last one ends; with a multiplier of 1 all are the first."""
        begins, length = [0, self.first_steps], self.first_steps
        while self.multiplier > 1 and begins[-1] < MOST_STEPS:
            length *= self.multiplier
            begins.append(begins[-1] + length)
        return begins

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_steps": self.first_steps,
            "multiplier": self.multiplier,
            "floor": self.floor,
        }
