"""A gentle beginning for any schedule."""

import math
from typing import Any, Literal

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from unetdyn._checks import check_choice, check_fraction, check_positive, is_number, plain
from unetdyn.schedules.annealing import Tensor, annealed, as_float, as_int
from unetdyn.schedules.steps import check_steps

Shape = Literal["linear", "exponential", "cosine", "constant"]

STARTS: dict[str, float] = {"linear": 0.0, "exponential": 0.01, "cosine": 0.0, "constant": 0.1}
"""By shape, the fraction of the rate that it starts with where the user names none."""


@keras.saving.register_keras_serializable(package="unetdyn")
class Warmup(LearningRateSchedule):
    """A warm-up, and then a schedule, or a rate that stays.

    In the first T steps the rate is η(0) · w(t), and then η(t − T): the schedule begins when the warm-up ends. With s
    the fraction that it starts with, w(t) is

    - "linear": s + (1 − s) · t / T. With s = 0 it is the studies' η_max · t / T.
    - "exponential": s^(1 − t / T), the same factor at each step.
    - "cosine": s + (1 − s) · (1 − cos(πt / T)) / 2.
    - "constant": s.

    `Warmup(1e-3, 500)` is the linear warm-up that stays at its end: η_max · min(1, t / T).

    Args:
        schedule: What begins after it: any of Keras' schedules or ours, also another warm-up, or a number.
        steps: T ≥ 1; see `count_steps`.
        shape: Of the rise. Default "linear".
        start: s, in [0, 1), above 0 for "exponential" and "constant". Default: 0 for "linear" and "cosine", so that the
            first step only fills the optimizer's averages; 0.01 for "exponential"; 0.1 for "constant", with which deep
            residual networks were first trained.

    Raises:
        TypeError: If `schedule` is neither a schedule nor a number.
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = Warmup(0.5, steps=4)
        >>> [float(rate(step)) for step in range(6)]
        [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]

    Reference:
        Goyal et al. (2017), Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, section 2.2; He et al. (2016),
        Deep Residual Learning for Image Recognition, section 4.2, for the constant one.
    """

    def __init__(
        self, schedule: LearningRateSchedule | float, steps: int, shape: Shape = "linear", start: float | None = None
    ) -> None:
        if is_number(schedule):
            check_positive("schedule", schedule)
        elif not isinstance(schedule, LearningRateSchedule):
            raise TypeError(
                "`schedule` must be a `keras.optimizers.schedules.LearningRateSchedule`, or a number for a rate that "
                f"stays. Received: {type(schedule).__name__}."
            )
        check_steps("steps", steps)
        check_choice("shape", shape, STARTS)
        if start is not None:
            check_fraction("start", start, zero=STARTS[shape] == 0, otherwise=f"with shape={shape!r}")
        self.schedule = plain(schedule)
        self.steps = plain(steps)
        self.shape = shape
        self.start = plain(start)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, which is counted from 0."""
        step = as_int(step)
        after = ops.maximum(step - self.steps, 0)
        rate = as_float(self.schedule(after) if isinstance(self.schedule, LearningRateSchedule) else self.schedule)
        return ops.where(step < self.steps, rate * self._risen(step), rate)

    def _risen(self, step: Tensor) -> Tensor:
        """w(t), of an int32 step."""
        start = STARTS[self.shape] if self.start is None else self.start
        if self.shape == "exponential":
            return ops.exp((math.log(start) / self.steps) * as_float(self.steps - step))
        if self.shape == "constant":
            return start * ops.ones_like(as_float(step))
        return annealed(step, start, 1.0, 0, self.steps, "cos" if self.shape == "cosine" else "linear")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "steps": self.steps,
            "shape": self.shape,
            "start": self.start,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Warmup":
        """The warm-up that `get_config` told of, with the schedule in it."""
        return cls(**config | {"schedule": keras.saving.deserialize_keras_object(config["schedule"])})
