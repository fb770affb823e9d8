"""Underfitting, overfitting or too short: which of the three a training is, and what speaks for it."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from unetdyn._checks import check_fraction, check_positive
from unetdyn.analysis.curves import Curves, read_history
from unetdyn.analysis.metric_names import check_more_is_better
from unetdyn.analysis.overfitting_onset import Overfitting, overfitting
from unetdyn.analysis.result import Determinable, epoch, interval, number
from unetdyn.analysis.slope_criterion import SLOPE_WINDOW, SlopeCriterion, converged_by_slope
from unetdyn.analysis.stability_classes import WINDOW
from unetdyn.analysis.theil_sen import SHORTEST_WINDOW

Regime = Literal["underfitting", "overfitting", "not trained long enough", "fits"]

GOOD = 0.5
FAR = (
    0.45  # part of the training's metric that the validation's lacks: as the rule `metric.gap` of the diagnosis has it
)

MORE = 0.1  # of its range: what moves on by more than that in as many epochs as the slope is taken over, moves
STILL = 0.2  # of its range: what is shown to move by less stands still, unless it is shown to move by more than MORE

_SMOOTH = 5  # the median of five epochs bears two wild ones
_LEAST = 20  # epochs, as of `overfitting`


@dataclass(frozen=True)
class TrainingRegime(Determinable):
    """What `training_regime` found.

    Attributes:
        regime: `"underfitting"`, `"overfitting"`, `"not trained long enough"` or `"fits"`; None where undetermined.
        evidence: In words, what it rests on; empty where undetermined.
        training_level: Mean of the training's metric over the last window, or of its loss where `good_loss` was given;
            NaN where not known.
        validation_level: The same of validation.
        watched: Name, without `val_`, of what the levels are of; None where there is nothing to judge them by.
        training: The slope of the training loss, converged where it is shown to stand still; None where not logged.
        validation: The same of the validation loss.
        onset: What `overfitting` said.
        reason: In words, why it is undetermined; empty where it is not.
    """

    regime: Regime | None
    evidence: str
    training_level: float
    validation_level: float
    watched: str | None
    training: SlopeCriterion | None
    validation: SlopeCriterion | None
    onset: Overfitting
    reason: str = ""

    @property
    def verdict(self) -> str:
        """The regime, or `"undetermined"`."""
        return self.regime or "undetermined"

    def _rows(self) -> list[tuple[str, str]]:
        slopes = [("training loss", self.training), ("validation loss", self.validation)]
        levels = [("training", self.training_level), ("validation", self.validation_level)]
        return [
            ("verdict", self._if_determined(f"{self.verdict}: {self.evidence}")),
            *((name, _change(slope)) for name, slope in slopes if slope is not None),
            *((f"{name} {self.watched}", number(level)) for name, level in levels if not np.isnan(level)),
        ]


def training_regime(
    history: Any, metric: str | None = None, good: float = GOOD, good_loss: float | None = None
) -> TrainingRegime:
    """Which it is: underfitting, overfitting, or not trained long enough.

    From the class notes of the studies (docs/studies.md): a network *underfits* where both errors are high with a small
    gap between them, and *overfits* where the training's is low and the validation's high; both losses on a plateau ask
    for more capacity. A loss that still falls looks like underfitting until it has fallen. So the questions are put in
    this order:

    1. *Overfitting*: `overfitting` finds an onset; or the training's metric is good and the validation's lacks 45 % of
       it, which is what the diagnosis calls a gap (`metric.gap`).
    2. *Not trained long enough*: the validation loss still falls, or the validation's metric still rises; without
       validation, the training's. More epochs.
    3. Both losses stand still. *Underfitting*, where the training's metric is not good and the validation's does not
       lie far below it: more capacity (filters, depth), or less regularisation. It *fits* where the training's metric
       is good.

    Otherwise it is undetermined, and the reason says what is missing: where the training loss falls on while validation
    stands still, more epochs may bring either.

    The means are the last ten epochs'. The slopes, Theil-Sen's, are taken over a third of the epochs, from 10 to 30 of
    them. A curve still falls or rises where its interval of 90 % shows that as many epochs more would bring more than a
    tenth of what it went through; otherwise it stands still where that would be shown to be less than a fifth. This
    asks what the curves show, not why: labels that contradict each other, a learning rate that is too low and unscaled
    images make a plateau, too.
    `diagnose` looks for such causes.

    Args:
        history: What `read_history` takes.
        metric: The metric that tells a good fit from a bad one; default that of `Curves.metric`.
        good: The training's metric from which on it counts as good, between 0 and 1. Default 0.5: with a Jaccard below
            one half there are more wrong pixels than pixels of the object that were found. Take what another network,
            or a second expert, reaches on your data where you know it.
        good_loss: The training loss up to which it counts as good, > 0; it is then judged by the loss. Default None: a
            loss has no scale that would tell a high one, so the metric is needed.

    Returns:
        A `TrainingRegime`; undetermined with fewer than 20 epochs.

    Raises:
        ValueError: If no loss or not the named metric was logged, less of the metric is better, or an argument is out
            of range.

    Example:
        >>> t = np.arange(90)
        >>> noise = 0.004 * np.random.default_rng(0).normal(size=(4, 90))
        >>> left = np.exp(-t / 6)
        >>> history = {"loss": 0.5 + 0.3 * left + noise[0], "val_loss": 0.52 + 0.3 * left + noise[1]}
        >>> history |= {"jaccard": 0.32 - 0.3 * left + noise[2], "val_jaccard": 0.3 - 0.3 * left + noise[3]}
        >>> print(training_regime(history))
        verdict             underfitting: the losses stand still at jaccard 0.318, validation 0.301: more capacity
        training loss       changes by -8.91e-07 an epoch (90 % interval -0.000189 to 0.000227)
        validation loss     changes by 0.000103 an epoch (90 % interval -8.6e-05 to 0.000256)
        training jaccard    0.318
        validation jaccard  0.301

    Reference:
        The studies, class notes; Goodfellow, Bengio and Courville, Deep learning (2016), section 5.2, for capacity,
        underfitting and overfitting.
    """
    check_fraction("good", good)
    if good_loss is not None:
        check_positive("good_loss", good_loss, "or None")
    curves = read_history(history)
    _, loss = curves.watched("loss")
    judged = "loss" if good_loss is not None else _metric(curves, metric)
    levels = tuple(_level(curves, name) for name in (str(judged), f"val_{judged}"))
    is_good = levels[0] <= good_loss if good_loss is not None else levels[0] >= good
    seen = _Seen(
        training=_slope(curves, "loss"),
        validation=_slope(curves, "val_loss"),
        metric=_slope(curves, curves.watched(judged)[0]) if judged and judged != "loss" else None,
        onset=overfitting(curves),
        name=judged,
        level=levels[0],
        validation_level=levels[1],
        is_good=bool(is_good),
        far=judged != "loss" and levels[1] < (1 - FAR) * levels[0],
    )
    count = int(np.isfinite(loss.values).sum())
    regime, said = (None, f"{count} of the {_LEAST} epochs that it needs") if count < _LEAST else _regime(seen)
    return TrainingRegime(
        regime=regime,
        evidence=said if regime else "",
        training_level=seen.level,
        validation_level=seen.validation_level,
        watched=judged,
        training=seen.training,
        validation=seen.validation,
        onset=seen.onset,
        reason="" if regime else said,
    )


def _change(slope: SlopeCriterion) -> str:
    return f"changes by {number(slope.slope)} an epoch (90 % interval {interval(slope.low, slope.high)})"


class _Seen(NamedTuple):
    """The evidence."""

    training: SlopeCriterion | None
    validation: SlopeCriterion | None
    metric: SlopeCriterion | None
    onset: Overfitting
    name: str | None
    level: float
    validation_level: float
    is_good: bool
    far: bool


def _regime(seen: _Seen) -> tuple[Regime | None, str]:
    """The regime and what speaks for it; or None and why it is undetermined."""
    both = f"{seen.name} {number(seen.level)}"
    if not np.isnan(seen.validation_level):
        both += f", validation {number(seen.validation_level)}"
    if seen.onset.onset is not None:
        return "overfitting", f"from epoch {epoch(seen.onset.onset)} on: {seen.onset.evidence}"
    if seen.is_good and seen.far:
        return "overfitting", f"{both}: the network knows what it was trained on, and not the rest"
    for slope in (seen.training if seen.validation is None else seen.validation, seen.metric):
        if _improves(slope):
            return "not trained long enough", f"{slope.watched} {_change(slope)}"
    if _improves(seen.training):
        return None, "the training loss falls on while validation stands still: more epochs may bring either"
    for slope in (seen.training, seen.validation):
        if slope is not None and not slope.converged:
            moves = f"{slope.watched} {_change(slope)}: whether it stands still can't be told"
            return None, moves if np.isfinite(slope.slope) else f"{slope.watched}: {slope.reason}"
    if np.isnan(seen.level):
        return (
            None,
            "the losses stand still, but no metric of the training tells whether that is high: give `good_loss`",
        )
    if seen.is_good:
        return "fits", f"the losses stand still at {both}"
    if seen.far:
        return None, f"{both}: neither is good, and they lie far apart; look whether both sets were made alike"
    return "underfitting", f"the losses stand still at {both}: more capacity"


def _improves(slope: SlopeCriterion | None) -> TypeGuard[SlopeCriterion]:
    """Whether it is shown that a loss falls, or a metric rises, by more than `MORE` of its range."""
    if slope is None:
        return False
    least = MORE / STILL * slope.delta
    return slope.high < -least if slope.watched.removeprefix("val_") == "loss" else slope.low > least


def _metric(curves: Curves, metric: str | None) -> str | None:
    if metric is None and curves.default_metric is None:
        return None
    name = curves.metric(metric)
    check_more_is_better(name, metric, curves.source, curves.log_keys)
    return name


def _level(curves: Curves, name: str) -> float:
    """The mean of the last ten finite values; NaN where there is none."""
    values = curves[name].values if name in curves else np.empty(0)
    finite = values[np.isfinite(values)]
    return float(finite[-WINDOW:].mean()) if len(finite) else float("nan")


def _slope(curves: Curves, name: str) -> SlopeCriterion | None:
    if name not in curves:
        return None
    curve = curves[name]
    window = min(SLOPE_WINDOW, max(SHORTEST_WINDOW, len(curve.values) // 3))
    return converged_by_slope(curve, window, STILL * _range(curve.values) / window or None, name=name)


def _range(values: NDArray[np.float64]) -> float:
    """What a curve went through from its first value on, where it falls fastest; wild epochs after it aside."""
    finite = values[np.isfinite(values)]
    if len(finite) < _SMOOTH:
        return 0.0
    smooth = np.median(sliding_window_view(finite, _SMOOTH), axis=1)
    return float(np.ptp(np.append(smooth, finite[0])))
