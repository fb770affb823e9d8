"""The one-cycle schedule: up to a large rate, and down to almost none."""

import math
from itertools import pairwise
from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_choice, check_fraction, check_positive, plain
from unetdyn.schedules.annealing import CURVES, Curve, Tensor, annealed, as_float, as_int
from unetdyn.schedules.steps import check_steps


@keras.saving.register_keras_serializable(package="unetdyn")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """The rate rises from `max_lr / div_factor` to `max_lr`, and falls to the first one's `final_div_factor`-th part.

    PyTorch's `OneCycleLR` value by value, with its arguments under its names. It turns at the step
    pct_start · total_steps − 1, and ends at total_steps − 1; later steps keep the last rate, where PyTorch raises.
    `unetdyn.callbacks.MomentumCycle` moves the momentum against it.

    Args:
        max_lr: The largest rate.
        total_steps: Steps of the whole training; see `count_steps`.
        pct_start: Fraction of the steps in which the rate rises, in [0, 1]. Default 0.3, PyTorch's; the studies have
            0.2.
        anneal_strategy: "cos" (default) for half a cosine, "linear" for straight lines.
        div_factor: `max_lr` over the first rate. Default 25, PyTorch's and the studies'.
        final_div_factor: The first rate over the last. Default 1e4, PyTorch's and the studies'.
        three_phase: Whether the rate falls to the first one as fast as it rose, and only then to the last, as in the
            paper. Default False, PyTorch's: one fall. With `pct_start` above ½ the training ends, as PyTorch's does,
            before the rate is back at the first one, and the last fall never comes.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = OneCycle(max_lr=3e-3, total_steps=100, pct_start=0.2)
        >>> [f"{float(rate(step)):.3g}" for step in (0, 19, 99)]
        ['0.00012', '0.003', '1.2e-08']

    Reference:
        Smith & Topin (2018), Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates.
    """

    def __init__(
        self,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: Curve = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        for argument, value in (
            ("max_lr", max_lr),
            ("div_factor", div_factor),
            ("final_div_factor", final_div_factor),
        ):
            check_positive(argument, value)
        check_cycle(total_steps, pct_start, anneal_strategy)
        self.max_lr = plain(max_lr)
        self.total_steps = plain(total_steps)
        self.pct_start = plain(pct_start)
        self.anneal_strategy: Curve = anneal_strategy
        self.div_factor = plain(div_factor)
        self.final_div_factor = plain(final_div_factor)
        self.three_phase = bool(three_phase)

    def __call__(self, step: Tensor) -> Tensor:
        """The rate at a step, which is counted from 0."""
        first = self.max_lr / self.div_factor
        last = first / self.final_div_factor
        corners = [first, self.max_lr, *([first] if self.three_phase else []), last]
        return cycled(step, corners, self.total_steps, self.pct_start, self.anneal_strategy)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "max_lr": self.max_lr,
            "total_steps": self.total_steps,
            "pct_start": self.pct_start,
            "anneal_strategy": self.anneal_strategy,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "three_phase": self.three_phase,
        }


def check_cycle(total_steps: object, pct_start: object, anneal_strategy: object) -> None:
    """Refuse what is no cycle."""
    check_steps("total_steps", total_steps)
    check_fraction("pct_start", pct_start, zero=True, one=True)
    check_choice("anneal_strategy", anneal_strategy, CURVES)


def cycled(step: Tensor, corners: list[float], total_steps: int, pct_start: float, curve: Curve) -> Tensor:
    """What goes through `corners` in one cycle: three of them in two phases, four in three.

    Args:
        step: A number or a tensor; from 0.
        corners: The values at the beginning and at the end of each phase.
        total_steps: Steps of the cycle.
        pct_start: Fraction of the steps in the first phase.
        curve: How a phase goes from one corner to the next.

    Returns:
        A float32 tensor.

    Example:
        >>> [round(float(cycled(step, [0.0, 1.0, 0.5], 5, 0.6, "linear")), 6) for step in range(5)]
        [0.0, 0.5, 1.0, 0.75, 0.5]
    """
    turn = pct_start * total_steps - 1
    ends = [0.0, turn, *([2 * turn] if len(corners) == 4 else []), total_steps - 1.0]
    step = ops.clip(as_int(step), 0, total_steps - 1)
    value = corners[-1] * ops.ones_like(as_float(step))
    phases = list(zip(pairwise(ends), pairwise(corners), strict=True))
    for (start, end), (first, last) in reversed(phases):
        if end > start:  # a phase without a step has no slope
            value = ops.where(step <= math.floor(end), annealed(step, first, last, start, end, curve), value)
    return value
