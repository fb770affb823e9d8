"""Oscillation: whether a curve swings around its trend with a period, or zigzags, more than noise does."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

from unetdyn._checks import check_fraction
from unetdyn.analysis.ar1 import inverse_spectrum, phi_under_lines
from unetdyn.analysis.detrend import detrend
from unetdyn.analysis.result import Determinable, number
from unetdyn.analysis.series import Curve, series

_LEAST = 20  # epochs: the trend takes six, and a spectrum of fewer than eight frequencies says little
_LEAST_CYCLES = 3  # what swings less often is trend
_ZIGZAG_PERIOD = 2.5  # in steps between values: nothing shorter than 2 can be seen
SIGN_CHANGES_OF_NOISE = 2 / 3
"""Of three independent values the middle one is the highest or lowest in four of six orders."""


@dataclass(frozen=True)
class Oscillation(Determinable):
    """What `oscillation` found.

    Attributes:
        kind: `"cycle"`, `"zigzag"` (up and down from one value to the next), or None where noise explains it.
        period: Epochs of the strongest swing, significant or not; NaN where not determined.
        share: Its share of the power around the trend, with both neighbouring frequencies, from 0 to 1.
        p_value: Chance of a line as strong in noise with that autocorrelation.
        autocorrelation: φ, from 0 to 0.95, of the first-order autoregressive noise whose spectrum lies under the lines.
        sign_changes: Share of consecutive differences, those of 0 left out, whose signs differ.
        sign_changes_p: Chance of that share or more in white noise, for which 2/3 is expected.
        scatter: Standard deviation around the trend, in the unit of the values.
        alpha: The level of the test: the chance of a false alarm that was asked for.
        reason: In words, why it is undetermined; empty where it is not.
    """

    kind: str | None
    period: float
    share: float
    p_value: float
    autocorrelation: float
    sign_changes: float
    sign_changes_p: float
    scatter: float
    alpha: float
    reason: str = ""

    def _answer(self) -> bool:
        return self.kind is not None

    def _rows(self) -> list[tuple[str, str]]:
        words = {
            "cycle": f"a cycle of {number(self.period)} epochs",
            "zigzag": "a zigzag from one value to the next, as too high a learning rate makes",
            None: "none beyond noise",
        }
        line = f"{number(self.period)} epochs, {100 * self.share:.0f} % of the power, {_chance(self.p_value)}"
        changes = f"{100 * self.sign_changes:.0f} % of differences (white noise: 67 %), {_chance(self.sign_changes_p)}"
        kind = ("oscillation", self._if_determined(words[self.kind]))
        if not self.determined:
            return [kind]
        return [
            kind,
            ("strongest period", line),
            ("sign changes", changes if np.isfinite(self.sign_changes) else "not defined"),
            ("scatter", f"{number(self.scatter)} around the trend"),
        ]


class _Line(NamedTuple):
    period: float
    share: float
    p_value: float
    phi: float


def oscillation(values: ArrayLike | Curve, epochs: ArrayLike | None = None, alpha: float = 0.01) -> Oscillation:
    """Whether a logged value swings around its trend: with what period, how strongly, and whether noise does that too.

    The trend (a quadratic and three decays) is taken away. Then two tests, each at half of `alpha`:

    - **Spectrum.** The periodogram P(f) = |Σ rₜ exp(−2πi f t)|² / n over the epochs that are there, which without
      gaps is `scipy.signal.periodogram`. It is divided by the spectrum 1 / (1 + φ² − 2φ cos 2πf) of autoregressive
      noise, with the φ of `phi_under_lines`. The strongest of the m frequencies then holds a share g of the power. In
      noise the chance of such a share is at most m (1 − g)^(m − 1): Fisher's test.
    - **Signs.** Two consecutive differences of white noise have different signs in 2/3 of cases, with variance
      (16n − 29) / 90 of their number. More is a zigzag, which need not be periodic: steps that overshoot make
      one.

    The trend is smooth. What it can't follow, such as the step of a learning-rate drop or the take-off of a metric that
    stayed at 0 for long, is taken for an oscillation more often than `alpha` says.

    A line of a period below 2.5 is a zigzag too, any other a cycle. Periods of more than a third of the history are
    trend. A period is known to within period² / (2 · history). One value an epoch shows nothing of what happens within
    an epoch: a cycle of steps may show as a slow one, or not at all.

    Args:
        values: Shape `(epochs,)`, oldest first: a loss or a metric; or a `Curve` of `read_history`. What is
            not finite is left out as a gap.
        epochs: Shape `(epochs,)`, ascending whole numbers, where values are missing from some epochs. Default
            the curve's, or else 0, 1, 2 …
        alpha: The level of the test, the chance of finding an oscillation in noise, between 0 and 0.5. Default 0.01.

    Returns:
        An `Oscillation`; undetermined below 20 finite values or where nothing scatters around the trend.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range or the shapes do not fit.

    Example:
        >>> t = np.arange(80)
        >>> noise = 0.01 * np.random.default_rng(0).normal(size=80)
        >>> print(oscillation(0.2 + 0.8 * np.exp(-t / 10) + 0.02 * np.sin(2 * np.pi * t / 8) + noise))
        oscillation       a cycle of 8 epochs
        strongest period  8 epochs, 69 % of the power, p < 0.0001
        sign changes      44 % of differences (white noise: 67 %), p 1
        scatter           0.0166 around the trend
        >>> oscillation(0.2 + 0.8 * np.exp(-t / 10) + 0.02 * (-1) ** t + noise).kind
        'zigzag'

    Reference:
        Fisher, Tests of significance in harmonic analysis (1929). Turning points: Bienaymé (1874). Zigzag and step
        size: Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability (2021).
    """
    check_fraction("alpha", alpha, most=0.5)
    curve = series(values, epochs)
    finite = np.isfinite(curve.values)
    when, kept = curve.epochs[finite], curve.values[finite]
    nan = float("nan")
    undetermined = Oscillation(None, nan, nan, nan, nan, nan, nan, nan, alpha)
    if len(kept) < _LEAST:
        return replace(undetermined, reason=f"{len(kept)} of the {_LEAST} finite values that it needs")
    left = detrend(when, kept)
    if not left.any():
        return replace(undetermined, reason="nothing scatters around the trend")
    line = _line(when, left)
    changes, changes_p = _sign_changes(left)
    step = int(np.min(np.diff(when)))
    kind = None
    if changes_p < alpha / 2 or (line.p_value < alpha / 2 and line.period < _ZIGZAG_PERIOD * step):
        kind = "zigzag"
    elif line.p_value < alpha / 2:
        kind = "cycle"
    return Oscillation(kind, *line, changes, changes_p, float(np.std(left)), alpha)


def _line(when: NDArray[np.int64], left: NDArray[np.float64]) -> _Line:
    """The strongest line of the spectrum, over autoregressive noise."""
    steps = when - when[0]
    unit = int(np.gcd.reduce(steps))
    grid = np.zeros(int(steps[-1]) // unit + 1)
    grid[steps // unit] = left
    power = np.abs(np.fft.rfft(grid))[1:] ** 2 / len(left)
    frequency = np.arange(1, len(power) + 1) / len(grid)
    is_nyquist = frequency == 0.5
    weighted = np.where(is_nyquist, 0.5, 1.0) * power
    tested = slice(_LEAST_CYCLES - 1, None)
    phi = phi_under_lines(frequency[tested], power[tested])
    white = power[tested] * inverse_spectrum(frequency[tested], phi)
    # The last frequency of an even number has one degree of freedom, the others two: give it their distribution. It is
    # P(χ²₁ > x) = 2 P(Z > √x), because the logarithm of SciPy's chi2.sf is infinite from x = 1,500 on.
    scale = float(np.median(white)) / np.log(2) or 1.0
    white = np.where(is_nyquist[tested], -scale * (np.log(2) + log_ndtr(-np.sqrt(white / scale))), white)
    best = int(np.argmax(white))
    count, strongest = len(white), float(white[best] / white.sum())
    at = best + _LEAST_CYCLES - 1
    share = float(weighted[max(at - 1, 0) : at + 2].sum() / weighted.sum())
    chance = min(count * (1 - strongest) ** (count - 1), 1.0)
    return _Line(float(unit / frequency[at]), share, float(chance), phi)


def _sign_changes(left: NDArray[np.float64]) -> tuple[float, float]:
    """Share of the differences whose sign is not that of the one before, and its chance in white noise."""
    signs = np.sign(np.diff(left))
    signs = signs[signs != 0]
    count = len(signs) + 1
    if count < _LEAST:
        return float("nan"), 1.0
    turns = int(np.sum(signs[1:] != signs[:-1]))
    score = (turns - SIGN_CHANGES_OF_NOISE * (count - 2)) / np.sqrt((16 * count - 29) / 90)
    return turns / (count - 2), float(ndtr(-score))


def _chance(p_value: float) -> str:
    return f"p {p_value:.2g}" if p_value >= 1e-4 else "p < 0.0001"
