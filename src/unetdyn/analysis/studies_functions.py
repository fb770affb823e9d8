"""The functions that the studies' scripts call, by their names, keys and formulas.

They compute what the studies' code computes, where ours correct it: σ divides by n, a gap is of the Jaccard, four
classes, and an epoch is the place in the list of what was logged. What we would use instead is said at each.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, check_count
from unetdyn._warnings import warn
from unetdyn.analysis.criteria import LOSS_SIGMA, METRIC_SIGMA
from unetdyn.analysis.curves import Curves, read_history
from unetdyn.analysis.metric_names import check_more_is_better, overlap_rank
from unetdyn.analysis.series import Curve
from unetdyn.analysis.stability_classes import STABILITY_CLASSES, WINDOW

_DDOF = 0  # `numpy.std`, as the studies' code has it; their formula, and all else of ours, has 1
_FOUR = 4


class _Jaccards(NamedTuple):
    trained: NDArray[np.float64]
    validated: Curve


def compute_training_health(history: Any, metric: str | None = None) -> dict[str, Any]:
    """The studies' training health, from the Jaccard alone: five keys, and no loss needed.

    | key | what |
    | --- | --- |
    | `convergence_rate` | `(epochs,)`, ∂J/∂t of the validation Jaccard by `numpy.gradient`, per epoch |
    | `stability` | its σ over the last ten values, divided by n (`numpy.std`) |
    | `overfitting_gap` | mean training Jaccard − mean validation Jaccard, each over its last ten values |
    | `efficiency` | highest validation Jaccard / its place from 0; infinite, with a warning, for the first epoch |
    | `peak_epoch` | place, from 0, of the highest validation Jaccard, the first of equals |

    A place is the epoch, unless validation was left out in some, or the training was carried on from a later one.
    With fewer than ten values the means and σ are of those there are. For more, which says what it can't tell, see
    `training_health`; for the gap with its uncertainty, `overfitting`.

    Args:
        history: Anything `read_history` takes: the `history` dictionary of Keras' History, as in the studies, or that
            itself.
        metric: The metric, with or without `val_`. Default: `jacard_coef`, else another Jaccard, IoU or Dice.

    Returns:
        A dictionary of these keys, in this order: an array, three floats and a whole number. A NaN in the last ten
        makes `stability` and gap NaN; the peak is that of the finite values.

    Raises:
        ValueError: If there is no Jaccard, or the metric has no training or no validation values, never was finite, or
            should fall.

    Example:
        >>> history = {"jacard_coef": [0.2, 0.5, 0.8, 0.9], "val_jacard_coef": [0.1, 0.4, 0.7, 0.6]}
        >>> health = compute_training_health(history)
        >>> health["convergence_rate"].round(2).tolist(), health["peak_epoch"], round(health["efficiency"], 2)
        ([0.3, 0.3, 0.1, -0.1], 2, 0.35)
        >>> round(health["stability"], 4), round(health["overfitting_gap"], 2)
        (0.2291, 0.15)

    Reference:
        The studies (docs/studies.md).
    """
    scores = _jaccards(read_history(history), metric)
    at, peak = _peak(scores.validated)
    return {
        "convergence_rate": _rates(scores.validated),
        "stability": _sigma(scores.validated.values, WINDOW),
        "overfitting_gap": _gap(scores, WINDOW),
        "efficiency": _per_epoch(peak, at),
        "peak_epoch": at,
    }


def analyze_training_stability(
    history: Any, window_size: int = WINDOW, metric: str | None = None, scheme: int = _FOUR
) -> dict[str, Any]:
    """The studies' training stability: eight keys, from the validation loss and the Jaccard.

    | key | what |
    | --- | --- |
    | `loss_stability` | σ of the validation loss over the last window, divided by n (`numpy.std`) |
    | `jaccard_stability` | the same of the validation Jaccard |
    | `convergence_epoch` | place, from 0, of the highest validation Jaccard, the last of equals |
    | `overfitting_gap` | mean training Jaccard − mean validation Jaccard, each over its last window |
    | `learning_efficiency` | highest validation Jaccard / (its first place + 1) |
    | `final_performance` | the last validation Jaccard |
    | `peak_performance` | the highest one |
    | `stability_classification` | `classify_stability(loss_stability)`, in words with bounds |

    The epoch of the maximum says nothing about convergence: see `convergence`. The class depends on the loss's scale:
    see `training_stability`, which has that of σ over the mean beside it.

    Args:
        history: Anything `read_history` takes: Keras' History, as in the studies, or its dictionary.
        window_size: How many values count, ≥ 2; of fewer all. 10 is what the studies used.
        metric: The metric, with or without `val_`. Default: `jacard_coef`, else another Jaccard, IoU or Dice.
        scheme: The classes: 4 (default), of which the last is Poor from 0.1, as this function of theirs has them; or 5.

    Returns:
        A dictionary of these keys, in this order. A NaN in a window makes its σ NaN, and the class the worst.

    Raises:
        ValueError: If `val_loss` was not logged, or the metric has no training or no validation values, never was
            finite, or should fall; or if another argument is out of range.

    Example:
        >>> history = {
        ...     "val_loss": [0.8, 0.6, 0.5, 0.5],
        ...     "jacard_coef": [0.2, 0.5, 0.8, 0.9],
        ...     "val_jacard_coef": [0.1, 0.4, 0.7, 0.7],
        ... }
        >>> found = analyze_training_stability(history, window_size=2)
        >>> found["convergence_epoch"], round(found["learning_efficiency"], 3), found["stability_classification"]
        (3, 0.233, 'Excellent (σ < 0.01)')

    Reference:
        The studies (docs/studies.md).
    """
    check_count("window_size", window_size, least=2)
    curves = read_history(history)
    scores = _jaccards(curves, metric)
    values = scores.validated.values
    at, peak = _peak(scores.validated)
    sigma = _sigma(curves.curve("val_loss").values, window_size)
    return {
        "loss_stability": sigma,
        "jaccard_stability": _sigma(values, window_size),
        "convergence_epoch": int(np.flatnonzero(values == peak)[-1]),
        "overfitting_gap": _gap(scores, window_size),
        "learning_efficiency": peak / (at + 1),
        "final_performance": float(values[-1]),
        "peak_performance": peak,
        "stability_classification": classify_stability(sigma, scheme),
    }


def check_convergence(history: Any, window: int = WINDOW, metric: str | None = None) -> bool:
    """Whether a training converged, by the studies' code: both σ small over the last window.

    True where σ of the validation loss is below 0.05 and that of the validation Jaccard below 0.01, both divided by n
    (`numpy.std`); False where they are not, and with fewer than `window` validations. `converged_by_stability` is the
    same by the studies' formula, says since when it holds, and tells "no" from "too short"; `converged_by_slope` is the
    one that is evidence.

    Args:
        history: Anything `read_history` takes.
        window: How many values count, ≥ 2; 10 is what the studies used.
        metric: The metric, with or without `val_`. Default: `jacard_coef`, else another Jaccard, IoU or Dice.

    Returns:
        A bool. NaN in the window is no convergence.

    Raises:
        ValueError: If `val_loss` was not logged, or the metric has no validation values or should fall; or if `window`
            is out of range.

    Example:
        >>> history = {"val_loss": [0.30, 0.31] * 5, "val_jacard_coef": [0.700, 0.701] * 5}
        >>> check_convergence(history), check_convergence(history, window=11)
        (True, False)

    Reference:
        The studies (docs/studies.md).
    """
    check_count("window", window, least=2)
    curves = read_history(history)
    loss = curves.curve("val_loss").values
    score = _validated(curves, metric).values
    if min(len(loss), len(score)) < window:
        return False
    return _sigma(loss, window) < LOSS_SIGMA and _sigma(score, window) < METRIC_SIGMA


def classify_stability(stability_value: float, scheme: int = 5) -> str:
    """The class of a σ with its bounds, as the studies print it.

    Args:
        stability_value: σ of a validation loss, ≥ 0; NaN and infinity are in the worst class.
        scheme: 5 (default): Excellent < 0.01 ≤ Good < 0.05 ≤ Moderate < 0.1 ≤ Poor < 0.5 ≤ Very poor; or 4, where
            everything from 0.1 is Poor. The studies have both.

    Returns:
        A text; `stability_class` gives the label alone.

    Raises:
        ValueError: If `stability_value` is negative, or `scheme` neither 4 nor 5.

    Example:
        >>> classify_stability(0.03), classify_stability(0.7), classify_stability(0.7, scheme=4)
        ('Good (0.01 ≤ σ < 0.05)', 'Very poor (σ ≥ 0.5)', 'Poor (σ ≥ 0.1)')

    Reference:
        The tables of the studies (docs/studies.md).
    """
    check_choice("scheme", scheme, [5, 4])
    if stability_value < 0:
        raise ValueError(
            "`stability_value` is a standard deviation and must be 0 or more. "
            f"Received: stability_value={stability_value}."
        )
    rows = STABILITY_CLASSES[:scheme]
    for row in rows[:-1]:
        if stability_value < row.upper:
            return f"{row.label} ({row.range})"
    return f"{rows[-1].label} (σ ≥ {rows[-1].lower:g})"


def _validated(curves: Curves, metric: str | None) -> Curve:
    base = _jaccard(curves, metric)
    check_more_is_better(base, metric, curves.source, curves.log_keys)
    return curves.curve(f"val_{base}")


def _jaccards(curves: Curves, metric: str | None) -> _Jaccards:
    return _Jaccards(curves.curve(_jaccard(curves, metric)).values, _validated(curves, metric))


def _jaccard(curves: Curves, metric: str | None) -> str:
    """The name of the Jaccard, without `val_`; another metric is taken only where it is asked for."""
    if metric is not None:
        return curves.metric(metric)
    if "val_jacard_coef" in curves:
        return "jacard_coef"
    default = curves.default_metric
    if default is None or overlap_rank(default) == 2:
        raise ValueError(
            f"no Jaccard was logged in {curves.source}, which has {', '.join(curves) or 'nothing'}: compile with "
            "metrics=[jacard_coef], or pass `metric=` the name of what to look at instead."
        )
    return default


def _peak(curve: Curve) -> tuple[int, float]:
    """Place and height of the highest finite value, the first of equals."""
    usable = np.isfinite(curve.values)
    if not usable.any():
        raise ValueError(
            "the validation Jaccard must have a finite value, or it has no peak. "
            f"Received: {str(curve.values.tolist())[:80]}."
        )
    at = int(np.argmax(np.where(usable, curve.values, -np.inf)))
    return at, float(curve.values[at])


def _rates(curve: Curve) -> NDArray[np.float64]:
    if len(curve.values) < 2:
        return np.full(len(curve.values), np.nan)
    with np.errstate(invalid="ignore"):  # infinity − infinity
        return np.gradient(curve.values)


def _sigma(values: NDArray[np.float64], window: int) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.std(values[-window:], ddof=_DDOF))


def _gap(scores: _Jaccards, window: int) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.mean(scores.trained[-window:]) - np.mean(scores.validated.values[-window:]))


def _per_epoch(peak: float, epoch: int) -> float:
    """The peak over its epoch as the studies count it, from 0."""
    if epoch == 0:
        warn(
            "health.first_epoch_is_best",
            "`efficiency` is not finite: it is the highest Jaccard over its epoch from 0, and the first epoch was the "
            "best. `analyze_training_stability` has `learning_efficiency`, which divides by the epoch + 1.",
            stacklevel=3,
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(peak) / epoch)
