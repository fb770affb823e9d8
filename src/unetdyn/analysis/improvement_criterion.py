"""Convergence by improvements: whether the best value so far still gets better by more than a little an epoch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from unetdyn._checks import check_choice, check_count, check_positive
from unetdyn.analysis.criteria import Criterion, cannot_tell, judged
from unetdyn.analysis.result import number
from unetdyn.analysis.series import Curve, series

IMPROVEMENT_WINDOW, IMPROVEMENT = 10, 0.001


@dataclass(frozen=True)
class ImprovementCriterion(Criterion):
    """What `converged_by_improvement` found.

    Attributes:
        improvement: By how much the best value so far got better an epoch, on average over the last window, as a
            fraction of what it was before; NaN where not defined.
    """

    improvement: float


def converged_by_improvement(
    values: ArrayLike | Curve,
    mode: Literal["min", "max"] = "min",
    window: int = IMPROVEMENT_WINDOW,
    tolerance: float = IMPROVEMENT,
    epochs: ArrayLike | None = None,
    name: str = "values",
) -> ImprovementCriterion:
    """Converged when the running average of improvements is small: (B_(t−k) − B_t) / (k |B_(t−k)|) < tolerance.

    B_t is the best value up to epoch t. The improvement of an epoch is what it takes off the best so far, 0 where it is
    no better; the average over the last k is the formula. The changes L_(t−1) − L_t themselves would not do: their
    average is (L_(t−k) − L_t) / k, in which only two values are left, both noisy. An improvement from 0 to 0 counts as
    0.

    The best of noise gets better now and then, too. So a loss that went flat with noise passes a little late, and one
    that rises passes: nothing improves. `EarlyStopping` with `patience=k` stops where this average is 0 at all.
    `converged_by_slope` is evidence.

    Args:
        values: Shape `(epochs,)`, oldest first: a loss; or a `Curve` of `read_history`.
        mode: `"min"` (default) for a loss or an error, `"max"` for a metric of which more is better.
        window: k, in values, ≥ 1. Default 10, as many as the studies (docs/studies.md) look at for σ.
        tolerance: A fraction an epoch, > 0. Default 0.001: less than one per cent in ten epochs, as of
            `converged_by_change`.
        epochs: Shape `(epochs,)`, the epoch of each value, from 0; default the curve's, or else 0, 1, 2, ...
        name: What the values are called in the result.

    Returns:
        An `ImprovementCriterion`; undetermined where there are no more than `window` values, or NaN among the last
        ones.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range.

    Example:
        >>> print(converged_by_improvement([8.0, 4.0, 2.0, 1.0, 1.2, 0.999, 1.1], window=2, name="val_loss"))
        watched                     val_loss
        verdict                     converged: the best improves by 0.05 % an epoch over the last 2, less than 0.1 %
        held first after epoch      6
        held to the end from epoch  6

    Reference:
        The studies (docs/studies.md) name it among the criteria without a formula; Prechelt, Early stopping, but when?
        (1998), section 2.2, for progress as a reason to stop.
    """
    check_choice("mode", mode, ["min", "max"])
    check_count("window", window, 1)
    check_positive("tolerance", tolerance)
    curve = series(values, epochs)
    losses = curve.values if mode == "min" else -curve.values
    best = np.fmin.accumulate(losses) if len(losses) else losses
    before, after = best[:-window], best[window:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        improvement = np.where(after == before, 0.0, (before - after) / (window * np.abs(before)))
    held = np.zeros(len(losses), dtype=bool)
    held[window:] = improvement < tolerance
    last = float(improvement[-1]) if len(improvement) else float("nan")
    comparison = "less than" if last < tolerance else "not less than"
    per_epoch = f"{number(100 * last)} % an epoch over the last {window}"
    evidence = f"the best improves by {per_epoch}, {comparison} {100 * tolerance:g} %"
    reason = cannot_tell(losses, window + 1)
    return ImprovementCriterion(name, *judged(curve.epochs, held, evidence, reason), last)
