"""Where a descent slows: two lines that meet, and whether a noisy curve shows them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.ar1 import fit_ar1
from unetdyn.analysis.detrend import TREND_PARAMETERS, detrend

LEAST_EPOCHS = 20  # the trend of `detrend` takes six, and φ of the noise needs the rest

_LAST = 5  # values that the second line has, at least
_DRAWS = 999
_SURE = 0.99

Array = NDArray[np.float64]


class TwoLines(NamedTuple):
    """The least-squares fit of two lines that meet.

    Attributes:
        place: Of the value where they meet.
        first_slope: In the unit of the values an epoch.
        second_slope: The same after they met.
        gain: By how much the sum of squares is smaller than that of one line.
    """

    place: int
    first_slope: float
    second_slope: float
    gain: float


class Slowing(NamedTuple):
    """What `slowing` found.

    Attributes:
        place: Of the first value of the slow descent; None where it never slowed, or that is not known.
        first_slope: Change an epoch before; NaN where not known.
        second_slope: Change an epoch from there; NaN where there is no slow descent.
        reason: Why it is not known; empty where it is.
    """

    place: int | None
    first_slope: float
    second_slope: float
    reason: str = ""


def two_lines(epochs: Array, values: Array) -> TwoLines:
    """The two lines, of which the first has at least one epoch and the second at least five values.

    >>> t = np.arange(30.0)
    >>> found = two_lines(t, np.maximum(1 - 0.1 * t, 0.28 - 0.01 * t))
    >>> found.place, round(found.first_slope, 3), round(found.second_slope, 3)
    (8, -0.1, -0.01)
    """
    hinges = _hinges(epochs)
    line = np.polyfit(epochs, values, 1)
    gains, along = _gains(hinges, values[:, None])
    place = int(np.argmax(gains[:, 0]))
    bend = along[place, 0]
    beyond = np.maximum(epochs - epochs[place + 1], 0.0)
    first = float(line[0] - bend * np.polyfit(epochs, beyond, 1)[0])
    return TwoLines(place + 1, first, first + float(bend), float(gains[place, 0]))


def slowing(epochs: Array, values: Array, slow: float) -> Slowing:
    """Where a descent slows to a part of its slope.

    What noise alone does is simulated: 999 draws of first-order autoregressive noise with the φ and the size that the
    curve has around its trend, each with values of its own for both, as uncertain as they are.

    Args:
        epochs: `(n,)`, ascending, n ≥ `LEAST_EPOCHS`.
        values: `(n,)`, finite, no level.
        slow: The slope of the slow descent as part of the first one's, at most.
    """
    nan, n = float("nan"), len(values)
    noise = fit_ar1(detrend(epochs, values), TREND_PARAMETERS).draw_with_uncertainty(
        n, _DRAWS, np.random.default_rng(0)
    )
    ends, of_halves = _difference_of_ends(n), _steeper_than(epochs, slow)
    least_fall = float(np.quantile(noise @ ends, _SURE))
    lines = two_lines(epochs, values)
    bends = lines.gain > np.quantile(_gains(_hinges(epochs), noise.T)[0].max(axis=0), _SURE)
    if bends and lines.first_slope < 0 and lines.second_slope * (epochs[-1] - epochs[lines.place]) > least_fall:
        return Slowing(None, nan, nan, f"the loss rises again from epoch {int(epochs[lines.place]) + 1} on")
    if not values @ ends > least_fall:
        return Slowing(None, nan, nan, "the loss does not fall by more than its noise")
    if bends and lines.first_slope < 0 and lines.second_slope >= slow * lines.first_slope:
        return Slowing(lines.place, lines.first_slope, lines.second_slope)
    if values @ of_halves < np.quantile(noise @ of_halves, 1 - _SURE):
        return Slowing(None, float(np.polyfit(epochs, values, 1)[0]), nan)
    return Slowing(None, nan, nan, "its noise hides whether the descent slowed")


def _hinges(epochs: Array) -> Array:
    """`(places, n)`: a line that bends from 0 to a slope of one at each place, less the straight line nearest to it."""
    beyond = np.maximum(epochs - epochs[1 : len(epochs) - _LAST + 1, None], 0.0)
    basis, _ = np.linalg.qr(np.stack([np.ones_like(epochs), epochs], axis=1))
    return beyond - (beyond @ basis) @ basis.T


def _gains(hinges: Array, values: Array) -> tuple[Array, Array]:
    """By how much a bend at each place lowers the sum of squares, and the bend: both `(places, curves)`."""
    along = hinges @ values
    squares = np.sum(hinges**2, axis=1)[:, None]
    return along**2 / squares, along / squares


def _difference_of_ends(n: int) -> Array:
    """The weights of: mean of the first quarter − mean of the last."""
    quarter, weights = n // 4, np.zeros(n)
    weights[:quarter], weights[-quarter:] = 1 / quarter, -1 / quarter
    return weights


def _steeper_than(epochs: Array, slow: float) -> Array:
    """The weights of: slope of the second half − `slow` times that of the first; below 0 where it never slowed."""
    half, weights = len(epochs) // 2, np.zeros(len(epochs))
    for part, sign in ((slice(0, half), -slow), (slice(half, None), 1.0)):
        centred = epochs[part] - epochs[part].mean()
        weights[part] = sign * centred / np.sum(centred**2)
    return weights
