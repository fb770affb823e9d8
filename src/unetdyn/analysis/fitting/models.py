"""The curves that a training may follow to its end, and their least-squares fit to many histories at once.

Every curve is `J(t) = J∞ + a exp(−r · clock(t))`: linear in J∞ and a, so that for a given rate r both follow in closed
form, and only the rate is searched (variable projection; Golub and Pereyra, 1973).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.ar1 import innovations

Array = NDArray[np.float64]

LAST_VALUE = "last value"
_STARTS = 64  # rates of the grid: for 100 epochs, neighbours differ by 14 %, and the search goes on between them
_NEAR = np.arange(-2, 3)
_QUARTIC = np.linalg.inv(
    np.vander(_NEAR, increasing=True)
)  # five values -> the coefficients of the quartic through them
_NEWTON_STEPS = 4  # from half a grid step off
_GOLDEN_STEPS = 40  # each narrows the bracket by 0.618: to 1e-8 of a grid step
_GOLDEN = (5**0.5 - 1) / 2
_ROUNDING = 1e-12  # of a curve's range: what rounding leaves of a fit without noise


class Shape(NamedTuple):
    """One family of curves.

    Attributes:
        name: As results call it.
        clock: Epochs `(n,)` and the first of them → what the rate multiplies.
        epoch: Its inverse: a reading of the clock and the first epoch → the epoch.
        rates: Clock of all epochs → the smallest and the largest rate.
    """

    name: str
    clock: Callable[[Array, float], Array]
    epoch: Callable[[Array, float], Array]
    rates: Callable[[Array], tuple[float, float]]


EXPONENTIAL = Shape(
    "exponential",
    lambda epochs, first: epochs - first,
    lambda clock, first: clock + first,
    # From a curve that went a tenth of its way to one that went 95 % of it in one epoch.
    lambda clock: (0.1 / clock[-1], 3.0 / float(np.diff(clock).min())),
)
POWER_LAW = Shape(
    "power law", lambda epochs, _: np.log(epochs + 1.0), lambda clock, _: np.exp(clock) - 1.0, lambda _: (0.05, 5.0)
)
SHAPES = (EXPONENTIAL, POWER_LAW)


class Grid(NamedTuple):
    """A shape at every start, as unit vectors: the projections of a curve on them say how well each rate fits it.

    Attributes:
        log_rates: `(starts,)`, evenly spaced.
        unit: `(starts, n)`: g = exp(−r · clock), less its mean, over its norm.
        mean: `(starts,)`: of g.
        norm: `(starts,)`: of g less its mean.
    """

    log_rates: Array
    unit: Array
    mean: Array
    norm: Array


class Fit(NamedTuple):
    """Least-squares fits of one shape to many curves.

    Attributes:
        asymptote: `(curves,)`: J∞.
        amplitude: `(curves,)`: a.
        rate: `(curves,)`: r.
        fitted: `(curves, n)`: J(t).
    """

    asymptote: Array
    amplitude: Array
    rate: Array
    fitted: Array


def grid(shape: Shape, epochs: Array) -> Grid:
    """The shape at 64 rates between its bounds, for these epochs.

    >>> grid(EXPONENTIAL, np.arange(20.0)).unit.shape
    (64, 20)
    """
    clock = shape.clock(epochs, epochs[0])
    slowest, fastest = shape.rates(clock)
    log_rates = np.linspace(np.log(slowest), np.log(fastest), _STARTS)
    return Grid(log_rates, *_unit(np.exp(-np.exp(log_rates)[:, None] * clock)))


def _unit(g: Array) -> tuple[Array, Array, Array]:
    mean = g.mean(axis=-1)
    centred = g - mean[..., None]
    norm = np.sqrt(np.sum(centred**2, axis=-1))
    return centred / norm[..., None], mean, norm


def interpolated(grid: Grid, projection: Array, mean: Array) -> tuple[Array, Array, Array]:
    """The best rate of each curve from its projections alone, by the quartic through the five starts around the best.

    With a parabola through three, J∞ would be off by a third of its standard error at a noise of 0.3 % of the range.

    Args:
        grid: Of one shape.
        projection: `(starts, ...)`: unit @ values.
        mean: `(...)`: of the values.

    Returns:
        J∞, a and r, each `(...)`.
    """
    best = np.argmax(np.abs(projection), axis=0)
    middle = np.clip(best, 2, _STARTS - 3)
    near = middle + _NEAR.reshape(-1, *[1] * best.ndim)
    p = np.take_along_axis(projection, near, axis=0)
    x = _peak(np.tensordot(_QUARTIC, p, axes=1), (best - middle).astype(np.float64))
    weights = np.tensordot(_QUARTIC.T, np.stack([x**0, x, x**2, x**3, x**4]), axes=1)
    amplitudes = p / grid.norm[near]
    amplitude = np.sum(weights * amplitudes, axis=0)
    asymptote = mean - np.sum(weights * amplitudes * grid.mean[near], axis=0)
    step = grid.log_rates[1] - grid.log_rates[0]
    return asymptote, amplitude, np.exp(grid.log_rates[middle] + x * step)


def _peak(coefficients: Array, x: Array) -> Array:
    """Where |c₀ + c₁ x + ... + c₄ x⁴| is largest near x, by Newton's method, within −2 ... 2."""
    c0, c1, c2, c3, c4 = coefficients
    for _ in range(_NEWTON_STEPS):
        slope = c1 + x * (2 * c2 + x * (3 * c3 + x * 4 * c4))
        bend = 2 * c2 + x * (6 * c3 + x * 12 * c4)
        peaked = bend * c0 < 0
        newton = -slope / np.where(peaked, bend, 1.0)
        x = np.clip(np.where(peaked, x + newton, x), -2.0, 2.0)
    return x


def fit(shape: Shape, epochs: Array, values: Array) -> Fit:
    """The least-squares fit of a shape to each curve: the best of 64 starts, refined by golden-section search.

    Args:
        shape: `EXPONENTIAL` or `POWER_LAW`.
        epochs: `(n,)`, ascending, from 0.
        values: `(curves, n)`, finite.

    Returns:
        A `Fit`.

    Example:
        >>> epochs = np.arange(30.0)
        >>> found = fit(EXPONENTIAL, epochs, 0.8 - 0.7 * np.exp(-0.2 * epochs)[None])
        >>> found.asymptote.round(6).tolist(), found.amplitude.round(6).tolist(), found.rate.round(6).tolist()
        ([0.8], [-0.7], [0.2])
    """
    starts = grid(shape, epochs)
    clock = shape.clock(epochs, epochs[0])
    best = np.clip(np.argmax(np.abs(starts.unit @ values.T), axis=0), 1, _STARTS - 2)
    low, high = starts.log_rates[best - 1], starts.log_rates[best + 1]
    for _ in range(_GOLDEN_STEPS):
        inner = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        first, second = (np.abs(_projected(clock, np.exp(log_rate), values)[0]) for log_rate in inner)
        low, high = np.where(first < second, inner[0], low), np.where(first < second, high, inner[1])
    rate = np.exp((low + high) / 2)
    projection, mean, norm = _projected(clock, rate, values)
    amplitude = projection / norm
    asymptote = values.mean(axis=1) - amplitude * mean
    return Fit(asymptote, amplitude, rate, curve(asymptote, amplitude, rate, clock))


def _projected(clock: Array, rate: Array, values: Array) -> tuple[Array, Array, Array]:
    unit, mean, norm = _unit(np.exp(-rate[:, None] * clock))
    return np.sum(unit * values, axis=1), mean, norm


def level(values: Array) -> Fit:
    """The curve that stays where it is: J∞ is the mean of the values, a is 0.

    >>> level(np.array([[1.0, 3.0]])).asymptote.tolist()
    [2.0]
    """
    mean = values.mean(axis=1)
    none = np.zeros_like(mean)
    return Fit(mean, none, none, np.repeat(mean[:, None], values.shape[1], axis=1))


def curve(asymptote: Array, amplitude: Array, rate: Array, clock: Array) -> Array:
    """J∞ + a exp(−r · clock), `(curves, n)`."""
    return asymptote[:, None] + amplitude[:, None] * np.exp(-rate[:, None] * clock)


def epochs_to_within(shape: Shape, within: float, found: tuple[Array, Array, Array], first: float) -> Array:
    """The epoch from which on the curve is within a fraction of its asymptote: clock = ln(|a| / (within |J∞|)) / r.

    Args:
        shape: Of the curve.
        within: The fraction of |J∞|.
        found: J∞, a and r, of any one shape.
        first: The first epoch; no result is before it.

    Returns:
        Of the shape of J∞; infinite where J∞ is 0 and the curve moves.

    Example:
        >>> found = np.array([1.0]), np.array([-0.5]), np.array([0.1])
        >>> epochs_to_within(EXPONENTIAL, 0.01, found, 0.0).round(2).tolist()  # 10 ln 50
        [39.12]
    """
    asymptote, amplitude, rate = found
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        reached = shape.epoch(np.log(np.abs(amplitude) / (within * np.abs(asymptote))) / rate, first)
    return np.where(amplitude == 0, first, np.maximum(reached, first))


def aicc_weights(values: Array, fits: list[Fit], parameters: Sequence[int], phi: Array) -> Array:
    """The weight of each model by the corrected Akaike information criterion.

    AICc = n ln(RSS / n) + 2k + 2k(k + 1) / (n − k − 1), weight = exp(−ΔAICc / 2) over the sum of these, where k counts
    the parameters of the curve, the noise's variance and its autocorrelation φ. RSS is that of the innovations
    e₁ sqrt(1 − φ²), eₜ − φ eₜ₋₁: neighbouring epochs err alike, and plain residuals would count an error repeatedly.

    Args:
        values: `(curves, n)`.
        fits: One for each model.
        parameters: Of each model's curve.
        phi: `(curves,)`: autocorrelation of the noise, the same for all models.

    Returns:
        `(models, curves)`, whose sum over the models is 1.

    Reference:
        Hurvich and Tsai (1989); Burnham and Anderson (2002), section 2.9, for the weights.
    """
    n = values.shape[1]
    least = n * (_ROUNDING * np.ptp(values, axis=1)) ** 2
    criteria = []
    for fitted, count in zip(fits, parameters, strict=True):
        rss = np.maximum(np.sum(innovations(values - fitted.fitted, phi) ** 2, axis=1), least)
        k = count + 2
        criteria.append(n * np.log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1))
    relative = np.exp(-0.5 * (np.array(criteria) - np.min(criteria, axis=0)))
    return relative / relative.sum(axis=0)
