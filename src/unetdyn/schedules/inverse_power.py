"""A rate that falls as a power of the step."""

from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_positive, check_range, plain
from unetdyn.schedules.annealing import Tensor, as_float


@keras.saving.register_keras_serializable(package="unetdyn")
class InversePowerDecay(keras.optimizers.schedules.LearningRateSchedule):
    """η₀ · (1 + λt)^(−α), which the studies call polynomial decay; Keras' `PolynomialDecay` is another.

    With α = 1 it is `inverse_time_decay`. α = ½ is the classical choice for convex losses, whose rates have to go
    down as 1/√t; α in (½, 1] lets their sum diverge and their squares' sum converge (Robbins & Monro).

    Args:
        initial_learning_rate: η₀.
        decay_rate: λ ≥ 0, a step.
        power: α ≥ 0. Default 0.5.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = InversePowerDecay(0.1, decay_rate=1.0)
        >>> [round(float(rate(step)), 6) for step in (0, 3, 99)]
        [0.1, 0.05, 0.01]

    Reference:
        Robbins & Monro (1951), A Stochastic Approximation Method, equation 6.
    """

    def __init__(self, initial_learning_rate: float, decay_rate: float, power: float = 0.5) -> None:
        check_positive("initial_learning_rate", initial_learning_rate)
        check_range("decay_rate", decay_rate, 0)
        check_range("power", power, 0)
        self.initial_learning_rate = plain(initial_learning_rate)
        self.decay_rate = plain(decay_rate)
        self.power = plain(power)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, which is counted from 0."""
        return self.initial_learning_rate * ops.exp(-self.power * ops.log1p(self.decay_rate * as_float(step)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_rate": self.decay_rate,
            "power": self.power,
        }
