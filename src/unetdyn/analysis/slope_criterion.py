"""The slope test of convergence: whether the slope of a curve is shown to be small."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from unetdyn._checks import check_count, check_fraction, check_positive
from unetdyn.analysis.criteria import Criterion, cannot_tell, judged
from unetdyn.analysis.result import interval, number
from unetdyn.analysis.series import Curve, series
from unetdyn.analysis.theil_sen import LONGEST_WINDOW, SHORTEST_WINDOW, sliding_slopes, window_for

SLOPE_WINDOW = 30
SHARE = 0.001
ALPHA = 0.05

_MORE = 0.1  # of the range, that as many epochs again may bring
_SMOOTH = 5  # the median of five epochs bears two wild ones


@dataclass(frozen=True)
class SlopeCriterion(Criterion):
    """What `converged_by_slope` found.

    Attributes:
        slope: Theil-Sen slope of the last window, in the value's unit an epoch; NaN where not defined.
        low: Lower end of its confidence interval; NaN where not defined.
        high: Upper end of its confidence interval; NaN where not defined.
        delta: The margin δ an epoch; NaN where the curve has no scale.
        alpha: The level of the test.
        window: How many values a window has.
    """

    slope: float
    low: float
    high: float
    delta: float
    alpha: float
    window: int

    def _rows(self) -> list[tuple[str, str]]:
        confidence = f"{100 * (1 - 2 * self.alpha):g} %"
        return [
            *super()._rows(),
            ("slope an epoch", f"{number(self.slope)} ({confidence} interval {interval(self.low, self.high)})"),
            ("margin an epoch", f"±{number(self.delta)}"),
            ("window", f"{self.window} epochs"),
        ]


def converged_by_slope(
    values: ArrayLike | Curve,
    window: int = SLOPE_WINDOW,
    delta: float | None = None,
    share: float = SHARE,
    alpha: float = ALPHA,
    epochs: ArrayLike | None = None,
    name: str = "values",
) -> SlopeCriterion:
    """Converged when the slope is shown to be small: its confidence interval lies inside ±δ.

    Two one-sided tests: slope ≥ δ and slope ≤ −δ are both rejected at level α exactly when the 1 − 2α interval of the
    slope lies between −δ and δ. So "converged" is evidence that the curve moves by less than δ an epoch. Where noise
    makes the interval so wide that it reaches beyond ±δ, the result is undetermined; where it lies wholly outside ±δ,
    not converged. Slope and interval are Theil-Sen's, widened for autocorrelation: see `theil_sen`.

    A look at every epoch is many tests. The verdict is one test, of the last window. From there `since` goes back
    window by window, and stops at the first that does not pass. The order of these tests is fixed beforehand, so the
    chance of any false claim stays at α without a correction. `first_epoch` is the best of many looks and has no such
    guarantee.

    Args:
        values: Shape `(epochs,)`, oldest first: a loss or a metric; or a `Curve` of `read_history`.
        window: How many values count, 10 to 2000. Default 30: fewer say too little about their own autocorrelation. The
            interval narrows with window^(3/2).
        delta: The margin δ an epoch, in the unit of the values, > 0. Default None: of the curve's range, smoothed by a
            running median of five, `share` or a tenth divided by the epochs, whichever is less. So doubling the
            training would change the value by at most a tenth of its range.
        share: The largest δ as a share of the range, > 0. Default 0.001: ten more epochs at that slope change the value
            by one per cent of its range. In trainings of more than 100 epochs, a tenth divided by the epochs is less.
        alpha: The level, between 0 and 0.5. Default 0.05.
        epochs: Shape `(epochs,)`, the epoch of each value, from 0; default the curve's, or else 0, 1, 2, ...
        name: What the values are called in the result.

    Returns:
        A `SlopeCriterion`; undetermined where fewer than `window` values, NaN in the last window, a curve that never
        changed (without `delta`), or too much noise. Windows with NaN do not pass. Very long series are looked at in
        every second, third, ... window only.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range.

    Example:
        >>> wave = 0.002 * np.sin(2.3 * np.arange(100))
        >>> result = converged_by_slope(0.2 + 0.6 * np.exp(-np.arange(100) / 10) + wave)
        >>> result.verdict, result.since
        ('converged', 67)
        >>> converged_by_slope(0.8 - 0.005 * np.arange(100) + wave).evidence
        'it still falls by 0.00499 an epoch (90 % interval -0.00505 to -0.00492), faster than 0.000473'

    Reference:
        Schuirmann, A comparison of the two one-sided tests procedure and the power approach for assessing the
        equivalence of average bioavailability (1987); Sen (1968) for the slope; Maurer, Hothorn and Lehmacher, Multiple
        comparisons in drug clinical trials and preclinical assays: a-priori ordered hypotheses (1995), for the order.
    """
    why = "since every pair in it is compared: for a longer one pass every tenth value, and `epochs`"
    check_count("window", window, SHORTEST_WINDOW, otherwise=why, most=LONGEST_WINDOW)
    check_positive("share", share)
    check_fraction("alpha", alpha, most=0.5)
    if delta is not None:
        check_positive("delta", delta)
    curve = series(values, epochs)
    margin = _margin(curve, share) if delta is None else delta
    reason = cannot_tell(curve.values, window)
    if not reason and not margin > 0:
        reason = "the curve never changed, so that nothing says which slope is small; give `delta`"
    if len(curve.values) < window or not margin > 0:
        nan = float("nan")
        return SlopeCriterion(name, "", reason, None, None, nan, nan, nan, margin, alpha, window)
    slopes = sliding_slopes(curve.epochs, curve.values, window, 1 - 2 * alpha)
    last = float(slopes.slope[-1]), float(slopes.low[-1]), float(slopes.high[-1])
    held = (slopes.low > -margin) & (slopes.high < margin)
    evidence, reason = ("", reason) if reason else _in_words(*last, margin, alpha, window)
    fields = judged(curve.epochs[slopes.ends], held, evidence, reason)
    return SlopeCriterion(name, *fields, *last, margin, alpha, window)


def _in_words(slope: float, low: float, high: float, delta: float, alpha: float, window: int) -> tuple[str, str]:
    """The evidence and an empty text; or an empty text and why there is none."""
    said = f"{100 * (1 - 2 * alpha):g} % interval {interval(low, high)}"
    if low > -delta and high < delta:
        return f"the slope an epoch lies within ±{number(delta)} ({said})", ""
    if low > delta or high < -delta:
        way = f"it still {'rises' if slope > 0 else 'falls'} by {number(abs(slope))} an epoch"
        return f"{way} ({said}), faster than {number(delta)}", ""
    reason = f"the slope an epoch is uncertain ({said}) and reaches out of ±{number(delta)}"
    if np.isfinite(high - low) and abs(slope) < delta:
        enough = window_for((high - low) / 2, delta - abs(slope), window)
        reason += f"; a window of about {max(enough, window + 1)} epochs might tell" if enough <= LONGEST_WINDOW else ""
    return "", reason


def _margin(curve: Curve, share: float) -> float:
    """The default δ: a share of what the curve went through, wild epochs aside."""
    if len(curve.values) < _SMOOTH:
        return 0.0
    smooth = np.median(sliding_window_view(curve.values, _SMOOTH), axis=1)
    smooth = smooth[np.isfinite(smooth)]
    epochs = int(curve.epochs[-1] - curve.epochs[0]) + 1
    return float(np.ptp(smooth)) * min(share, _MORE / epochs) if len(smooth) else 0.0
