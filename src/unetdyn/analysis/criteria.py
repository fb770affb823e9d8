"""What the criteria of convergence share, and the two simple ones: a small scatter, a small relative change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_count, check_positive
from unetdyn.analysis.curves import Curves, read_history
from unetdyn.analysis.result import Determinable, epoch, number
from unetdyn.analysis.series import Curve, series
from unetdyn.analysis.stability_classes import DDOF, WINDOW, sliding_stability

LOSS_SIGMA, METRIC_SIGMA = 0.05, 0.01
LAG, TOLERANCE, IN_A_ROW = 10, 0.01, 10


@dataclass(frozen=True)
class Criterion(Determinable):
    """What the criteria of convergence have in common; each has its own numbers beside.

    Attributes:
        watched: The names of what was looked at, such as `"val_loss"`.
        evidence: In words, what the verdict rests on; empty where undetermined.
        reason: In words, why it is undetermined; empty where it is not.
        first_epoch: The first epoch after which the criterion held, seen from that epoch; None for never.
        since: The first epoch from which it held without a break to the end; None where it does not hold at the end.
    """

    watched: str
    evidence: str
    reason: str
    first_epoch: int | None
    since: int | None

    @property
    def converged(self) -> bool:
        """Whether the criterion holds at the end."""
        return self.since is not None

    @property
    def verdict(self) -> str:
        """Of the end of the training: `"converged"`, `"not converged"` or `"undetermined"`."""
        if not self.determined:
            return "undetermined"
        return "converged" if self.converged else "not converged"

    @property
    def summary(self) -> str:
        """Verdict and epochs in one line."""
        return self._if_determined(f"{self.verdict}: {self._held()}")

    def _held(self) -> str:
        first = epoch(self.first_epoch)
        if self.since is None:
            return "never held" if self.first_epoch is None else f"held after epoch {first}, but not to the end"
        earlier = f", and for the first time after epoch {first}" if self.since != self.first_epoch else ""
        return f"held from epoch {epoch(self.since)} to the end{earlier}"

    def _answer(self) -> bool:
        return self.converged

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("watched", self.watched),
            ("verdict", self._if_determined(f"{self.verdict}: {self.evidence}")),
            ("held first after epoch", epoch(self.first_epoch)),
            ("held to the end from epoch", epoch(self.since)),
        ]


@dataclass(frozen=True)
class StabilityCriterion(Criterion):
    """What `converged_by_stability` found.

    Attributes:
        loss_sigma: σ of the loss over the last window; NaN where not defined.
        metric_sigma: σ of the metric over the last window; NaN where not defined.
    """

    loss_sigma: float
    metric_sigma: float


@dataclass(frozen=True)
class ChangeCriterion(Criterion):
    """What `converged_by_change` found.

    Attributes:
        change: The last |L_t − L_(t−k)| / |L_(t−k)|, a fraction; NaN where not defined.
    """

    change: float


def converged_by_stability(
    history: Any,
    metric: str | None = None,
    window: int = WINDOW,
    loss_sigma: float = LOSS_SIGMA,
    metric_sigma: float = METRIC_SIGMA,
) -> StabilityCriterion:
    """Converged when the scatter is small: the criterion of the studies (docs/studies.md).

    σ_loss < 0.05 and σ_metric < 0.01 over the last 10 epochs, with σ of `stability`.

    A σ mixes noise with trend: a loss that still falls evenly by less than 0.0165 an epoch passes, and one that went
    flat with more noise than 0.05 never does. `converged_by_slope` tells the two apart.

    Args:
        history: What `read_history` takes. Validation curves are used where logged, otherwise the training's.
        metric: The metric; default that of `Curves.metric`. The studies' was the Jaccard.
        window: How many values count, ≥ 2; 10 is what the studies used.
        loss_sigma: The bound for the loss, > 0; default the studies'.
        metric_sigma: The bound for the metric, > 0; default the studies'.

    Returns:
        A `StabilityCriterion`; undetermined where fewer than `window` epochs, no metric, or NaN in the last window.

    Raises:
        ValueError: If the loss or the named metric was not logged, or an argument is out of range.

    Example:
        >>> history = {"val_loss": [0.9, 0.5, 0.3, 0.31, 0.3], "val_jaccard": [0.1, 0.5, 0.7, 0.7, 0.702]}
        >>> print(converged_by_stability(history, window=3))
        watched                     val_loss and val_jaccard
        verdict                     converged: σ 0.00577 < 0.05 and σ 0.00115 < 0.01
        held first after epoch      5
        held to the end from epoch  5
    """
    check_positive("loss_sigma", loss_sigma)
    check_positive("metric_sigma", metric_sigma)
    curves = read_history(history)
    loss_name, loss = curves.watched("loss")
    metric_name, metric_curve = _metric_curve(curves, metric)
    if metric_curve is None:
        sliding_stability([], window)  # refuses a wrong window, as it does everywhere else
        reason = f"the criterion asks for a metric's σ too, and {curves.no_metric}"
        return StabilityCriterion(loss_name, "", reason, None, None, float("nan"), float("nan"))
    epochs, at_loss, at_metric = np.intersect1d(loss.epochs, metric_curve.epochs, return_indices=True)
    values = [loss.values[at_loss], metric_curve.values[at_metric]]
    sigmas = [sliding_stability(column, window, DDOF) for column in values]
    held = (sigmas[0] < loss_sigma) & (sigmas[1] < metric_sigma)
    last = [float(sigma[-1]) if len(sigma) else float("nan") for sigma in sigmas]
    signs = ["<" if sigma < bound else "≥" for sigma, bound in zip(last, (loss_sigma, metric_sigma), strict=True)]
    evidence = f"σ {number(last[0])} {signs[0]} {loss_sigma:g} and σ {number(last[1])} {signs[1]} {metric_sigma:g}"
    reason = cannot_tell(np.where(np.isfinite(values).all(axis=0), 0.0, np.nan), window)
    return StabilityCriterion(f"{loss_name} and {metric_name}", *judged(epochs, held, evidence, reason), *last)


def converged_by_change(
    values: ArrayLike | Curve,
    lag: int = LAG,
    tolerance: float = TOLERANCE,
    in_a_row: int = IN_A_ROW,
    epochs: ArrayLike | None = None,
    name: str = "values",
) -> ChangeCriterion:
    """Converged when the relative change is small for some epochs in a row.

    |L_t − L_(t−k)| / |L_(t−k)| < tolerance. No change from 0 to 0 counts as 0.

    The change is relative to the loss itself. So a loss with a large floor passes early, and one with noise above about
    the tolerance never passes. `converged_by_slope` looks at the range of the curve instead of its height, and says so
    where noise hides the answer.

    Args:
        values: Shape `(epochs,)`, oldest first: a loss; or a `Curve` of `read_history`.
        lag: k, in values, ≥ 1. Default 10: neighbouring epochs differ little in any slow training.
        tolerance: A fraction, > 0. Default 0.01: less than one per cent in ten epochs.
        in_a_row: How many epochs in a row must be below it, ≥ 1. Default 10, as many as the lag: a single one is below
            whenever a curve crosses its own earlier height.
        epochs: Shape `(epochs,)`, the epoch of each value, from 0; default the curve's, or else 0, 1, 2, ...
        name: What the values are called in the result.

    Returns:
        A `ChangeCriterion`; undetermined where fewer than lag + in_a_row values, or NaN among these last ones.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range.

    Example:
        >>> result = converged_by_change([8.0, 4.0, 2.0, 1.0, 0.999, 0.998, 0.998], lag=1, in_a_row=2)
        >>> result.verdict, result.first_epoch, result.since
        ('converged', 5, 5)

    Reference:
        The stopping rule of numerical optimisation, as in Gill, Murray and Wright, Practical optimization (1981).
    """
    check_count("lag", lag, 1)
    check_count("in_a_row", in_a_row, 1)
    check_positive("tolerance", tolerance)
    curve = series(values, epochs)
    before, after = curve.values[:-lag], curve.values[lag:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = np.where((after == before) & np.isfinite(after), 0.0, np.abs(after - before) / np.abs(before))
    held = np.zeros(len(curve.values), dtype=bool)
    if len(change) >= in_a_row:
        held[lag + in_a_row - 1 :] = sliding_window_view(change < tolerance, in_a_row).all(axis=1)
    last = float(change[-1]) if len(change) else float("nan")
    count = int(np.sum(np.cumprod((change < tolerance)[::-1])))
    evidence = f"below {100 * tolerance:g} % for the last {count} epochs, of {in_a_row} that it takes"
    reason = cannot_tell(curve.values, lag + in_a_row)
    return ChangeCriterion(name, *judged(curve.epochs, held, evidence, reason), last)


def judged(
    epochs: NDArray[np.int64], held: NDArray[np.bool_], evidence: str, reason: str
) -> tuple[str, str, int | None, int | None]:
    """The fields of a `Criterion` after the first, from whether it held after each epoch."""
    first = int(epochs[np.argmax(held)]) if held.any() else None
    if reason:
        return "", reason, first, None
    if not held[-1]:
        return evidence, "", first, None
    broken = np.flatnonzero(~held)
    return evidence, "", first, int(epochs[broken[-1] + 1 if len(broken) else 0])


def cannot_tell(values: NDArray[np.float64], needed: int) -> str:
    """Why nothing can be said of the last `needed` values; empty where something can."""
    if len(values) < needed:
        return f"{len(values)} of the {needed} epochs that it needs"
    broken = int(np.sum(~np.isfinite(values[-needed:])))
    return f"NaN or infinite in {broken} of the last {needed} epochs" if broken else ""


def _metric_curve(curves: Curves, metric: str | None) -> tuple[str, Curve | None]:
    if metric is None and curves.default_metric is None:
        return "", None
    return curves.watched(curves.metric(metric))
