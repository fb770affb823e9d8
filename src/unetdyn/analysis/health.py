"""How a training went, in one table: its peak, its end, its scatter and how far validation lies behind training."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.curves import Curves, loss_pairs, read_history
from unetdyn.analysis.metric_names import check_more_is_better
from unetdyn.analysis.result import KeyedResult, epoch, number, undetermined
from unetdyn.analysis.series import Curve
from unetdyn.analysis.stability_classes import DDOF, WINDOW, Stability, check_window, stability

_NOTHING = Curve(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True)
class TrainingHealth(KeyedResult):
    """What `training_health` found. Each attribute is a key too: `health["peak_epoch"]`, `health.as_dict()`.

    Attributes:
        recent_rate: Mean change of the metric per epoch over the last window; NaN below two epochs or where the
            window holds a value that is not finite.
        loss_sigma: σ of the loss over the last window; NaN where not defined.
        metric_sigma: σ of the metric over the last window, whatever the metric's name; NaN where not defined.
        loss_gap: Mean validation loss − mean training loss over the last window: positive where the network does
            worse on what it has not seen. NaN without validation.
        peak_epoch: Epoch, from 0, of the highest finite value of the metric, the first of equals; None without one.
        learning_efficiency: Peak / (peak epoch + 1): what was gained per epoch until the peak.
        final_performance: The metric's last value, NaN where that is what was logged.
        peak_performance: The metric's highest finite value.
        stability_class: The class of `loss_sigma`; None where not defined.
        relative_class: The class of σ of the loss over its mean; None where not defined.
        rates: The metric's change per epoch at each of its epochs.
        watched: Name under which the metric was logged, None where none was.
        watched_loss: Name under which the loss was logged.
        window: Epochs that the window has when it is full.
        counts: How many epochs each windowed value really had, by its key.
        reason: Why there is no metric, and what to do; empty where there is one.
    """

    recent_rate: float
    loss_sigma: float
    metric_sigma: float
    loss_gap: float
    peak_epoch: int | None
    learning_efficiency: float
    final_performance: float
    peak_performance: float
    stability_class: str | None
    relative_class: str | None
    rates: tuple[float, ...] = field(repr=False)
    watched: str | None
    watched_loss: str
    window: int
    counts: dict[str, int] = field(repr=False)
    reason: str = field(default="", repr=False)

    def _rows(self) -> list[tuple[str, str]]:
        metric = self.watched or "metric"
        peak = "not defined" if self.peak_epoch is None else f" at epoch {epoch(self.peak_epoch)}"
        if self.watched is None:
            peak = undetermined(self.reason)
        return [
            (f"peak {metric}", peak if self.peak_epoch is None else number(self.peak_performance) + peak),
            (f"final {metric}", number(self.final_performance)),
            ("learning efficiency", f"{number(self.learning_efficiency)} per epoch until the peak"),
            ("recent rate", self._average("recent_rate", " per epoch")),
            (f"σ of {self.watched_loss}", self._sigma("loss_sigma")),
            (f"σ of {metric}", self._sigma("metric_sigma")),
            ("loss gap", self._average("loss_gap")),
            ("stability", _classes_told(self.stability_class, self.relative_class)),
        ]

    def _sigma(self, key: str) -> str:
        return _sigma_told(self[key], self.counts[key], self.window, f" over the last {self.window} epochs")

    def _average(self, key: str, unit: str = "") -> str:
        count = self.counts[key]
        if count == 0:
            return undetermined("not logged")
        over = f" over the last {count} epochs" if count == self.window else f", {count} of {self.window} epochs"
        return number(self[key]) + unit + over


@dataclass(frozen=True)
class TrainingStability(KeyedResult):
    """What `training_stability` found. Each attribute is a key too: `result["loss_sigma"]`, `result.as_dict()`.

    Attributes:
        loss_sigma: σ of the loss over the last window; NaN where not defined.
        metric_sigma: σ of the metric over the last window, whatever the metric's name; NaN where not defined.
        loss_cv: σ / |mean| of the loss, a fraction.
        metric_cv: σ / |mean| of the metric, a fraction.
        mean_loss: Mean of the loss over the window; NaN where σ is.
        mean_metric: Mean of the metric over the window; NaN where σ is.
        stability_class: The class of `loss_sigma`; None where not defined.
        relative_class: The class of `loss_cv`; None where not defined.
        watched: Name under which the metric was logged, None where none was.
        watched_loss: Name under which the loss was logged.
        window: Epochs that the window has when it is full.
        counts: How many epochs each σ really had, by its key.
        reason: Why there is no metric, and what to do; empty where there is one.
    """

    loss_sigma: float
    metric_sigma: float
    loss_cv: float
    metric_cv: float
    mean_loss: float
    mean_metric: float
    stability_class: str | None
    relative_class: str | None
    watched: str | None
    watched_loss: str
    window: int
    counts: dict[str, int] = field(repr=False)
    reason: str = field(default="", repr=False)

    def _rows(self) -> list[tuple[str, str]]:
        metric = self._sigma("metric_sigma", self.mean_metric, self.metric_cv)
        return [
            (f"σ of {self.watched_loss}", self._sigma("loss_sigma", self.mean_loss, self.loss_cv)),
            (f"σ of {self.watched or 'metric'}", metric if self.watched else undetermined(self.reason)),
            ("class", _classes_told(self.stability_class, self.relative_class)),
        ]

    def _sigma(self, key: str, mean: float, variation: float) -> str:
        share = "" if np.isnan(variation) else f", {100 * variation:.1f} % of it"
        return _sigma_told(self[key], self.counts[key], self.window, f" around a mean of {number(mean)}{share}")


def _classes_told(label: str | None, relative: str | None) -> str:
    return "not defined" if label is None else f"{label}; for its mean {relative}" if relative else label


def _sigma_told(sigma: float, count: int, window: int, about: str) -> str:
    """σ with what belongs to it, or why there is none."""
    if count < window:
        return undetermined(f"{count} of the {window} epochs that it needs")
    if np.isnan(sigma):
        return undetermined(f"a value of the last {window} is NaN or infinite")
    return number(sigma) + about


def training_health(history: Any, window: int = WINDOW, metric: str | None = None, ddof: int = DDOF) -> TrainingHealth:
    """How a whole training went, in one table: with what can be told where a loss or a metric is missing.

    The studies' function is `compute_training_health`, another thing: its gap is of the metric, its efficiency divides
    by the epoch itself. Where this one measures otherwise, its keys have other names.

    - recent rate: ∂J/∂t by `numpy.gradient` over the epochs that have the metric; its mean over the window;
    - σ of loss and metric: sqrt(Σ (vᵢ − v̄)² / (window − ddof)) over the last `window` values;
    - loss gap: mean of `val_loss` − mean of `loss` over the last `window` epochs that have both;
    - learning efficiency: peak / (peak epoch + 1), with epochs from 0.

    The validation curves are used where they were logged, otherwise the training's: `watched` and `watched_loss` say
    which. A history shorter than the window has no σ; rate and gap are then means over the epochs there are.

    Keras' training loss is a mean over the epoch while the weights improve, with dropout on; the validation loss is
    taken after the epoch, with dropout off. So a network that does not overfit at all has a gap a little below zero.
    For the gap with its uncertainty see `overfitting`.

    Args:
        history: Anything `read_history` takes.
        window: How many logged values count, ≥ 2. 10 is what the studies used.
        metric: A metric of which more is better, with or without `val_`. Default: `Curves.default_metric`.
        ddof: 1 (default), the sample standard deviation, the studies' formula; 0, `numpy.std`, which their code used.

    Returns:
        A `TrainingHealth`. What cannot be told (no validation, no metric, too few epochs, NaN) is NaN or None.

    Raises:
        ValueError: If no loss was logged, `metric` was not or should fall, or `window` or `ddof` is out of range.

    Example:
        >>> history = {
        ...     "loss": [0.9, 0.6, 0.4, 0.3], "val_loss": [0.8, 0.6, 0.5, 0.5], "val_jaccard": [0.1, 0.4, 0.7, 0.6]
        ... }
        >>> health = training_health(history, window=3)
        >>> round(health["loss_gap"], 3), health.peak_epoch, round(health.learning_efficiency, 3)
        (0.1, 2, 0.233)
        >>> print(health)
        peak val_jaccard     0.7 at epoch 3
        final val_jaccard    0.6
        learning efficiency  0.233 per epoch until the peak
        recent rate          0.1 per epoch over the last 3 epochs
        σ of val_loss        0.0577 over the last 3 epochs
        σ of val_jaccard     0.153 over the last 3 epochs
        loss gap             0.1 over the last 3 epochs
        stability            Moderate; for its mean Poor

    Reference:
        The studies (docs/studies.md).
    """
    curves, names, losses, scores = _watched(history, window, metric, ddof)
    check_more_is_better(names[0] or "", metric, curves.source, curves.log_keys)
    values = names[1].values
    rates = _rates(names[1])
    best = None if names[0] is None else curves.best(names[0])
    peak_epoch = None if best is None else int(names[1].epochs[best])
    peak = float("nan") if best is None else float(values[best])
    gap = _gap(curves, window)
    return TrainingHealth(
        recent_rate=_mean(rates[-window:]),
        loss_sigma=losses.sigma,
        metric_sigma=scores.sigma,
        loss_gap=_mean(gap),
        peak_epoch=peak_epoch,
        learning_efficiency=peak / (peak_epoch + 1) if peak_epoch is not None else float("nan"),
        final_performance=float(values[-1]) if len(values) else float("nan"),
        peak_performance=peak,
        stability_class=losses.label,
        relative_class=losses.relative_label,
        rates=tuple(rates.tolist()),
        watched=names[0],
        watched_loss=curves.watched("loss")[0],
        window=window,
        counts={"recent_rate": len(rates[-window:]), "loss_gap": len(gap), **_counts(losses, scores)},
        reason=curves.no_metric if names[0] is None else "",
    )


def training_stability(
    history: Any, window: int = WINDOW, metric: str | None = None, ddof: int = DDOF
) -> TrainingStability:
    """How much the loss and the metric of a training scattered over its last epochs.

    σ, mean and coefficient of variation (σ / |mean|) are those of `stability`, for the loss and for the metric.

    Args:
        history: Anything `read_history` takes.
        window: How many logged values count, ≥ 2. 10 is what the studies used.
        metric: The metric beside the loss, with or without `val_`. Default: `Curves.default_metric`.
        ddof: 1 (default), the sample standard deviation, the studies' formula; 0, `numpy.std`, which their code used.

    Returns:
        A `TrainingStability`; NaN and None for what is not defined.

    Raises:
        ValueError: If no loss was logged, `metric` was not, or `window` or `ddof` is out of range.

    Example:
        >>> history = {"val_loss": [0.30, 0.34, 0.32, 0.28], "val_jaccard": [0.5, 0.6, 0.5, 0.6]}
        >>> print(training_stability(history, window=4))
        σ of val_loss     0.0258 around a mean of 0.31, 8.3 % of it
        σ of val_jaccard  0.0577 around a mean of 0.55, 10.5 % of it
        class             Good; for its mean Moderate

    Reference:
        The studies (docs/studies.md).
    """
    curves, (watched, _), losses, scores = _watched(history, window, metric, ddof)
    return TrainingStability(
        loss_sigma=losses.sigma,
        metric_sigma=scores.sigma,
        loss_cv=losses.coefficient_of_variation,
        metric_cv=scores.coefficient_of_variation,
        mean_loss=losses.mean,
        mean_metric=scores.mean,
        stability_class=losses.label,
        relative_class=losses.relative_label,
        watched=watched,
        watched_loss=curves.watched("loss")[0],
        window=window,
        counts=_counts(losses, scores),
        reason=curves.no_metric if watched is None else "",
    )


def _watched(
    history: Any, window: int, metric: str | None, ddof: int
) -> tuple[Curves, tuple[str | None, Curve], Stability, Stability]:
    check_window(window, ddof)
    curves = read_history(history)
    loss = curves.watched("loss")[1]
    name: str | None = None
    score = _NOTHING
    if metric is not None or curves.default_metric is not None:
        name, score = curves.watched(curves.metric(metric))
    return curves, (name, score), stability(loss.values, window, ddof), stability(score.values, window, ddof)


def _rates(curve: Curve) -> NDArray[np.float64]:
    if len(curve.values) < 2:
        return np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):  # infinity − infinity; an epoch that was logged twice
        return np.gradient(curve.values, curve.epochs)


def _gap(curves: Curves, window: int) -> NDArray[np.float64]:
    """Validation minus training loss in the last epochs that have both."""
    _, trained, validated = loss_pairs(curves)
    with np.errstate(invalid="ignore"):
        return (validated - trained)[-window:]


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) and np.isfinite(values).all() else float("nan")


def _counts(losses: Stability, scores: Stability) -> dict[str, int]:
    return {"loss_sigma": len(losses.values), "metric_sigma": len(scores.values)}
