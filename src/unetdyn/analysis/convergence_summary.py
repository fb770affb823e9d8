"""Whether a training has converged, and when, by three criteria."""

from dataclasses import dataclass
from typing import Any

from unetdyn.analysis.criteria import ChangeCriterion, StabilityCriterion, converged_by_change, converged_by_stability
from unetdyn.analysis.curves import read_history
from unetdyn.analysis.result import Result
from unetdyn.analysis.series import Curve
from unetdyn.analysis.slope_criterion import ALPHA, SLOPE_WINDOW, SlopeCriterion, converged_by_slope
from unetdyn.analysis.stability_classes import WINDOW


@dataclass(frozen=True)
class Convergence(Result):
    """What `convergence` found.

    Attributes:
        stability: By the scatter of loss and metric, the studies' criterion.
        change: By the relative change of the loss.
        slope: By the slope test of the loss.
        metric_slope: The same for the metric; None where none was logged.
    """

    stability: StabilityCriterion
    change: ChangeCriterion
    slope: SlopeCriterion
    metric_slope: SlopeCriterion | None

    @property
    def verdict(self) -> str:
        """That of the slope of the loss, the only one of the three that is evidence."""
        return self.slope.verdict

    @property
    def converged(self) -> bool:
        """Whether the verdict is `"converged"`."""
        return self.slope.converged

    def _answer(self) -> bool:
        return bool(self.slope)  # which raises where it is undetermined

    def _rows(self) -> list[tuple[str, str]]:
        slopes = [found for found in (self.slope, self.metric_slope) if found is not None]
        return [
            *((f"slope of {found.watched}", found.summary) for found in slopes),
            ("small scatter", self.stability.summary),
            ("small relative change", self.change.summary),
        ]


def convergence(
    history: Any,
    metric: str | None = None,
    window: int = WINDOW,
    slope_window: int = SLOPE_WINDOW,
    delta: float | None = None,
    metric_delta: float | None = None,
    alpha: float = ALPHA,
) -> Convergence:
    """Whether and when a training converged, by `converged_by_stability`, `converged_by_change`, `converged_by_slope`.

    The first two are what people use; only the third is evidence. They are functions of their own, with more settings.

    Args:
        history: What `read_history` takes. Validation curves are used where logged, otherwise the training's; each
            result says which in `watched`.
        metric: The metric; default that of `Curves.metric`.
        window: Of the scatter; the lag of the relative change, and how often in a row it must be small. Default 10,
            the studies' window.
        slope_window: How many values the slope is taken over, ≥ 10; see `converged_by_slope` for the default.
        delta: The margin of the loss's slope an epoch; default a thousandth of the range of its curve.
        metric_delta: The margin of the metric's slope an epoch; default a thousandth of the range of its curve.
        alpha: The level of the tests of the slopes. Default 0.05.

    Returns:
        A `Convergence`.

    Raises:
        ValueError: If the loss or the named metric was not logged, or an argument is out of range.

    Example:
        >>> import numpy as np
        >>> left = np.exp(-np.arange(100) / 10)
        >>> wave = 0.002 * np.sin(2.3 * np.arange(100))
        >>> print(convergence({"val_loss": 0.2 + 0.6 * left + wave, "val_jaccard": 0.8 - 0.7 * left + wave}))
        slope of val_loss      converged: held from epoch 68 to the end
        slope of val_jaccard   converged: held from epoch 68 to the end
        small scatter          converged: held from epoch 37 to the end
        small relative change  not converged: never held
    """
    curves = read_history(history)
    by_stability = converged_by_stability(curves, metric, window)
    loss_name, loss = curves.watched("loss")
    by_change = converged_by_change(loss.values, window, in_a_row=window, epochs=loss.epochs, name=loss_name)

    def by_slope(name: str, curve: Curve, margin: float | None) -> SlopeCriterion:
        return converged_by_slope(curve.values, slope_window, margin, alpha=alpha, epochs=curve.epochs, name=name)

    metric_slope = None
    if metric is not None or curves.default_metric is not None:
        metric_slope = by_slope(*curves.watched(curves.metric(metric)), metric_delta)
    return Convergence(by_stability, by_change, by_slope(loss_name, loss, delta), metric_slope)
