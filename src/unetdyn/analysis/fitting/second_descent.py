"""The studies' five parameters of a double descent, with an offset and intervals, or why a loss does not tell them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_count, check_fraction
from unetdyn.analysis.ar1 import autocorrelation
from unetdyn.analysis.fitting import models, two_descents
from unetdyn.analysis.fitting.asymptote import LEAST_DRAWS
from unetdyn.analysis.fitting.bootstrap import LARGEST_PHI_OF_NOISE, SieveBootstrap, mixed_interval
from unetdyn.analysis.fitting.models import EXPONENTIAL, Array, Fit
from unetdyn.analysis.grouping import group_starts, grouped
from unetdyn.analysis.result import Determinable, epoch, interval, number
from unetdyn.analysis.second_descents import ALPHA, NEEDED, DoubleDescent, double_descent
from unetdyn.analysis.series import Curve, series

NAMES = ("offset", "J_1", "lambda_1", "J_2", "lambda_2", "t_0")

_GROUPS = 400  # longer losses are averaged into so many groups of epochs
_WEIGHT = 0.95  # of the two descents, below which one descent may do as well
_COUNTED = (3, 8)  # parameters of one descent and of two: the start of the second counts as three
_ROUNDING = 1e-6  # of a loss's range: smaller residuals are no noise
_COMPUTABLE = (1e-70, 1e70)


@dataclass(frozen=True)
class DoubleDescentFit(Determinable):
    """What `fit_double_descent` found.

    Attributes:
        params: `offset`, `J_1`, `lambda_1`, `J_2`, `lambda_2` and `t_0`, the parameters of the formula: losses in the
            unit of the values, rates per epoch, t₀ an epoch from 0. Empty where undetermined.
        intervals: Name → lower and upper end; empty where undetermined.
        weight: AICc weight of two descents beside one; NaN where nothing was fitted.
        shape: What `double_descent` said of the same loss: whether it falls, rises and falls by more than its noise.
        autocorrelation: φ of the noise, from one epoch to the next; NaN where nothing was fitted.
        confidence: Of each interval.
        first_epoch: The first epoch, from 0, from which λ₁ counts.
        reason: In words, why it is undetermined; empty where it is not.
    """

    params: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    weight: float = float("nan")
    shape: DoubleDescent | None = None
    autocorrelation: float = float("nan")
    confidence: float = 0.95
    first_epoch: int = 0
    reason: str = ""

    @property
    def verdict(self) -> str:
        """`"double descent"` or `"undetermined"`."""
        return "double descent" if self.determined else "undetermined"

    def _answer(self) -> bool:
        return True  # where it is determined there is one

    def predict(self, epochs: ArrayLike) -> NDArray[np.float64]:
        """The fitted loss.

        Args:
            epochs: Of any shape, from 0; beyond the last one that was fitted, the curve goes on.

        Returns:
            L(t), of the same shape; NaN where undetermined.

        Example:
            >>> t = np.arange(80)
            >>> loss = 0.2 + 0.7 * np.exp(-0.3 * t) + 0.4 * np.exp(-0.1 * (t - 30)) * (t >= 30)
            >>> fit_double_descent(loss).predict([0, 30, 1000]).round(3).tolist()
            [0.9, 0.6, 0.2]
        """
        t = np.asarray(epochs, dtype=np.float64)
        if not self.determined:
            return np.full(t.shape, np.nan)
        c, first, first_rate, second, second_rate, start = (self.params[name] for name in NAMES)
        since = t - start
        second_part = np.where(since >= 0, np.exp(-second_rate * since.clip(0)), 0.0)
        return c + first * np.exp(-first_rate * (t - self.first_epoch)) + second * second_part

    def _rows(self) -> list[tuple[str, str]]:
        if not self.determined:
            return [("double descent", self._if_determined(""))]
        level = f"{100 * self.confidence:g} % interval"

        def told(name: str, unit: str = "") -> str:
            return f"{number(self.params[name])}{unit} ({level} {interval(*self.intervals[name])})"

        low, high = self.intervals["t_0"]
        start = f"epoch {epoch(self.params['t_0'])} ({level} {epoch(low)} to {epoch(high)})"
        return [
            ("double descent", f"yes: two descents have a weight of {number(self.weight)} beside one"),
            ("first descent, J_1", told("J_1")),
            ("its rate, lambda_1", told("lambda_1", " an epoch")),
            ("second begins, t_0", start),
            ("second descent, J_2", told("J_2")),
            ("its rate, lambda_2", told("lambda_2", " an epoch")),
            ("ends at, offset", told("offset")),
        ]


def fit_double_descent(
    values: ArrayLike | Curve,
    epochs: ArrayLike | None = None,
    confidence: float = 0.95,
    alpha: float = ALPHA,
    draws: int = 400,
    seed: int = 0,
) -> DoubleDescentFit:
    """The parameters of a loss that descends twice, with intervals, or "undetermined" and why.

    L(t) = c + J₁ exp(−λ₁ (t − t₁)) + J₂ exp(−λ₂ (t − t₀)) H(t − t₀), t₁ the first epoch, H the Heaviside step.

    The studies (docs/studies.md) have it without the offset c and call it J_val, a Jaccard. But it falls, to 0 where
    there is no offset: it is the shape of a loss, and is fitted to losses. A metric is no loss; give 1 − metric.

    In this shape the loss *jumps* up by J₂ at t₀. A loss that climbs over many epochs is another shape: then t₀ lies on
    the climb, and the residuals are so correlated that the fit is often undetermined. `double_descent` tells the turns
    of any shape. Within an epoch t₀ and J₂ cannot be told apart: t₀ is the first epoch of the second descent.

    *Fit.* Least squares over all t₀ with five epochs on either side, and rates such that a descent has gone a tenth of
    its way at the end, or 95 % of it in one epoch. *Interval.* Percentiles of fits to losses that are made anew from
    the fit and noise like its residuals, as in `fit_convergence`.

    It is *undetermined*

    - with fewer than 30 finite values, or where all are the same;
    - where `double_descent` does not find that the loss falls, rises and falls by more than its noise. This keeps
      overfitting, a step of the learning rate and blips of a few epochs out, which two descents fit better than one;
    - where one exponential with an offset describes the loss as well: the AICc weight of two is below 0.95. Noise is
      as correlated for one as for two; the jump's place counts as three parameters, because it is chosen among so many;
    - where the residuals are correlated by more than 0.9: the loss has another shape;
    - where the first part does not descend, an interval of J₁ or J₂ reaches 0, or that of the offset is wider than the
      range of the values: then the training ended too early for it.

    Args:
        values: Shape `(epochs,)`, oldest first: a loss; or a `Curve` of `read_history`. NaN and infinity are left out.
        epochs: Shape `(epochs,)`, the epoch of each value, from 0; default the curve's, or else 0, 1, 2, ...
        confidence: Of each interval, between 0 and 1. Default 0.95.
        alpha: The level of `double_descent`, between 0 and 1. Default 0.05.
        draws: Losses made anew for the intervals, 100 or more. Default 400: their ends then scatter by a fourteenth of
            the half width from seed to seed, and a fit takes some tenths of a second.
        seed: Of the draws.

    Returns:
        A `DoubleDescentFit`. More than 400 epochs are averaged in 400 groups first: the jump may lie anywhere in the
        groups that the interval of t₀ then spans, and J₂ and λ₂ are a little off, as one group mixes both sides.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range.

    Example:
        >>> t = np.arange(100)
        >>> loss = 0.2 + 0.7 * np.exp(-0.2 * t) + 0.4 * np.exp(-0.08 * (t - 40)) * (t >= 40)
        >>> print(fit_double_descent(loss + np.random.default_rng(0).normal(0, 0.02, 100)))
        double descent       yes: two descents have a weight of 1 beside one
        first descent, J_1   0.71 (95 % interval 0.677 to 0.739)
        its rate, lambda_1   0.205 an epoch (95 % interval 0.19 to 0.224)
        second begins, t_0   epoch 41 (95 % interval 41 to 41)
        second descent, J_2  0.414 (95 % interval 0.392 to 0.44)
        its rate, lambda_2   0.0789 an epoch (95 % interval 0.0719 to 0.0876)
        ends at, offset      0.199 (95 % interval 0.192 to 0.207)
        >>> print(fit_double_descent(0.2 + 0.7 * np.exp(-0.2 * t)))
        double descent  undetermined: no second descent is seen: it never falls, rises and falls

    Reference:
        The model: the studies. The phenomenon over epochs: Nakkiran et al., Deep double descent (2020). A change point
        counts as three parameters: Ninomiya, Information criterion for Gaussian change-point model (2005).
    """
    check_fraction("confidence", confidence)
    check_count("draws", draws, LEAST_DRAWS, unit="draws")
    curve = series(values, epochs)
    finite = np.isfinite(curve.values)
    curve = Curve(curve.epochs[finite], curve.values[finite])
    shape = double_descent(curve, alpha=alpha, seed=seed)
    start = int(curve.epochs[0]) if len(curve.epochs) else 0
    reason = _not_fitted_because(curve.values, shape)
    if reason:
        return DoubleDescentFit(shape=shape, confidence=confidence, first_epoch=start, reason=reason)
    times = grouped(curve.epochs.astype(np.float64), _GROUPS)
    rows = grouped(curve.values, _GROUPS)[None]
    found = two_descents.fit(times, rows)
    phi, weight = _compared(times, rows, found)
    reason = _not_told_because(found, phi, weight)
    if reason:
        return DoubleDescentFit({}, {}, weight, shape, phi, confidence, start, reason)
    first_epochs = curve.epochs[group_starts(len(curve.epochs), _GROUPS)].astype(np.float64)
    best = _as_logged(found, times, first_epochs)
    drawn = _as_logged(_refitted(times, rows, found, draws, seed), times, first_epochs)
    ends = np.array(mixed_interval(drawn[None], np.ones((1, len(NAMES))), confidence)).T
    intervals = {name: (float(low), float(high)) for name, (low, high) in zip(NAMES, ends, strict=True)}
    intervals["t_0"] = _whole_groups(intervals["t_0"], curve.epochs.astype(np.float64), first_epochs)
    reason = _too_uncertain_because(intervals, rows)
    if reason:
        return DoubleDescentFit({}, {}, weight, shape, phi, confidence, start, reason)
    params = dict(zip(NAMES, best[:, 0].tolist(), strict=True))
    return DoubleDescentFit(params, intervals, weight, shape, phi, confidence, start)


def _whole_groups(ends: tuple[float, float], epochs: Array, first_epochs: Array) -> tuple[float, float]:
    """All epochs where the jump may be: from within the group before the lower end to the upper end's group's last."""
    if len(first_epochs) == len(epochs):
        return ends
    low, high = np.searchsorted(first_epochs, ends, side="right") - 1
    after = np.append(first_epochs[1:], epochs[-1] + 1)
    return float(first_epochs[max(low - 1, 0)] + 1), float(after[high] - 1)


def _not_fitted_because(values: Array, shape: DoubleDescent) -> str:
    if len(values) < NEEDED:
        return shape.reason
    half = values.max() / 2 - values.min() / 2  # the range itself may overflow
    if half == 0:
        return f"all of its {len(values)} values are the same"
    if not _COMPUTABLE[0] < half < _COMPUTABLE[1]:
        return f"its values differ by {half:.0e} and more, too little or too much to compute with: give another unit"
    return "" if shape.found else f"no second descent is seen: {shape.evidence}"


def _compared(times: Array, rows: Array, found: two_descents.TwoDescents) -> tuple[float, float]:
    """φ of the noise, and the AICc weight of two descents beside one."""
    left = rows - found.fitted
    noisy = left.std() > _ROUNDING * np.ptp(rows)
    phi = float(np.clip(autocorrelation(left, two_descents.PARAMETERS)[0], 0, 1)) if noisy else 0.0
    two = Fit(found.offset, found.first, found.first_rate, found.fitted)
    both = [models.fit(EXPONENTIAL, times, rows), two]
    shared = np.array([min(phi, LARGEST_PHI_OF_NOISE)])
    return phi, float(models.aicc_weights(rows, both, _COUNTED, shared)[1, 0])


def _not_told_because(found: two_descents.TwoDescents, phi: float, weight: float) -> str:
    if weight < _WEIGHT:
        return (
            "it falls, rises and falls, but does not jump as this curve does: one exponential and an offset, with "
            f"noise correlated by {number(phi)}, describe it about as well (weight {number(1 - weight)})"
        )
    if phi > LARGEST_PHI_OF_NOISE:
        return "the values stray from the fit for many epochs on end: its two descents have another shape"
    if not (found.first[0] > 0 and found.second[0] > 0):
        return "its first part does not descend"
    return ""


def _refitted(
    times: Array, rows: Array, found: two_descents.TwoDescents, draws: int, seed: int
) -> two_descents.TwoDescents:
    """Fits to losses made anew."""
    noise = SieveBootstrap(len(times), draws, seed).noise_like(rows - found.fitted, two_descents.PARAMETERS)
    return two_descents.fit(times, found.fitted + noise[:, 0].T)


def _as_logged(found: two_descents.TwoDescents, times: Array, first_epochs: Array) -> Array:
    """The parameters `(6, curves)` with λ₁ counted from the first epoch that was logged, and t₀ an epoch that was.

    Of a loss that was averaged in groups, the fit's times are the groups' middles.
    """
    start = first_epochs[np.searchsorted(times, found.start)]
    first = found.first * np.exp(found.first_rate * (times[0] - first_epochs[0]))
    second = found.second * np.exp(found.second_rate * (found.start - start))
    return np.stack([found.offset, first, found.first_rate, second, found.second_rate, start])


def _too_uncertain_because(intervals: Mapping[str, tuple[float, float]], rows: Array) -> str:
    for name in ("J_1", "J_2"):
        if intervals[name][0] <= 0:
            return f"the interval of {name}, {interval(*intervals[name])}, reaches 0"
    low, high = intervals["offset"]
    if high - low > np.ptp(rows):
        seen = interval(float(rows.min()), float(rows.max()))
        return f"the interval of the offset, {interval(low, high)}, is wider than the range of the values, {seen}"
    return ""
