"""The curve of two descents, and its least-squares fit to many losses of the same epochs at once.

L(t) = c + J₁ exp(−λ₁ (t − t₁)) + J₂ exp(−λ₂ (t − t₀)) H(t − t₀), with t₁ the first epoch and H(0) = 1. For given rates
and a given start t₀ the rest, c, J₁ and J₂, is linear and follows in closed form; only λ₁, λ₂ and t₀ are searched.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.fitting.models import EXPONENTIAL, Array

PARAMETERS = 6
LEAST_PART = 5  # epochs before t₀, and from it on: what is shorter is a blip, and tells no rate

_STARTS = 20  # rates of the grid: for 100 epochs, neighbours differ by a factor of 1.5, and the search goes on between
_PLACES = 50  # starts t₀ of the grid, at most; those between are looked at around the best
_NEIGHBOURS = 2
_STEPS = 10  # of Levenberg and Marquardt; from the grid, five do for most
_REACH = 0.5  # of the logarithm of a rate in a step, at most
_AT_ONCE = 4_000_000  # values that are held in memory: 32 MB
_RIDGE = 1e-10


class TwoDescents(NamedTuple):
    """Fits to many losses.

    Attributes:
        offset: `(curves,)`: c.
        first: `(curves,)`: J₁.
        first_rate: `(curves,)`: λ₁, per epoch.
        second: `(curves,)`: J₂, above 0 but where the fit found nothing of the kind.
        second_rate: `(curves,)`: λ₂, per epoch.
        start: `(curves,)`: t₀, one of the epochs.
        fitted: `(curves, n)`: L(t).
    """

    offset: Array
    first: Array
    first_rate: Array
    second: Array
    second_rate: Array
    start: Array
    fitted: Array


def curve(epochs: Array, parameters: Array) -> Array:
    """L(t) for each row of c, J₁, λ₁, J₂, λ₂, t₀.

    >>> curve(np.array([0.0, 1.0, 2.0]), np.array([[0.5, 1.0, np.log(2), 0.25, 0.0, 2.0]])).tolist()
    [[1.5, 1.0, 1.0]]
    """
    c, first, first_rate, second, second_rate, start = (part[:, None] for part in parameters.T)
    g, h = _shapes(epochs, first_rate, second_rate, start)
    return c + first * g + second * h


def _shapes(epochs: Array, first_rate: Array, second_rate: Array, start: Array) -> tuple[Array, Array]:
    since = epochs - start
    return np.exp(-first_rate * (epochs - epochs[0])), np.where(since >= 0, np.exp(-second_rate * since.clip(0)), 0.0)


def fit(epochs: Array, values: Array) -> TwoDescents:
    """The least-squares fit with J₂ > 0 to each loss.

    Starts t₀ with five epochs on either side, 50 of them at most, are tried at 20 × 20 rates between the bounds of
    `EXPONENTIAL`; the best is refined by Levenberg and Marquardt's method in all parameters but t₀, then t₀ is searched
    among all its neighbours, and where it moved the rest again.

    Args:
        epochs: `(n,)`, ascending, n ≥ 10.
        values: `(curves, n)`, finite.

    Returns:
        A `TwoDescents`.

    Example:
        >>> t = np.arange(60.0)
        >>> loss = 0.2 + 0.7 * np.exp(-0.3 * t) + 0.4 * np.exp(-0.1 * (t - 20)) * (t >= 20)
        >>> found = fit(t, loss[None])
        >>> [round(float(part[0]), 4) for part in found[:-1]]
        [0.2, 0.7, 0.3, 0.4, 0.1, 20.0]
    """
    size = np.ptp(values, axis=1, keepdims=True)
    size[size == 0] = 1.0
    values = values / size
    low, high = np.log(EXPONENTIAL.rates(epochs - epochs[0]))
    rates = np.exp(np.linspace(low, high, _STARTS))
    starts = epochs[LEAST_PART : len(epochs) - LEAST_PART + 1]
    step = -(-len(starts) // _PLACES)
    first_rate, second_rate, start = _searched(epochs, values, rates, starts[::step])
    found, rss = _refined(epochs, values, first_rate, second_rate, start, (low, high))
    again = _restarted(epochs, values, found, starts, step + _NEIGHBOURS)
    moved = np.flatnonzero(again != found[:, 5])
    if len(moved):
        of = found[moved]
        others = _refined(epochs, values[moved], of[:, 2], of[:, 4], again[moved], (low, high))
        better = (others[1] < rss[moved]) & (others[0][:, 3] > 0)
        found[moved[better]] = others[0][better]
    found[:, [0, 1, 3]] *= size
    offset, first, first_rate, second, second_rate, start = found.T
    return TwoDescents(offset, first, first_rate, second, second_rate, start, curve(epochs, found))


def _searched(epochs: Array, values: Array, rates: Array, starts: Array) -> tuple[Array, Array, Array]:
    """The best λ₁, λ₂ and t₀ of the grid for each curve, J₂ > 0.

    With y, g and h less their means, and u = g / |g|: what the second descent explains beside the first is
    (y·h − (h·u)(y·u))² / (|h|² − (h·u)²), and the first alone (y·u)².
    """
    places = np.repeat(starts, len(rates))[:, None], np.tile(rates, len(starts))[:, None]
    g, h = _shapes(epochs, rates[:, None], places[1], places[0])
    g, h = (shape - shape.mean(axis=1, keepdims=True) for shape in (g, h))
    unit = g / np.linalg.norm(g, axis=1, keepdims=True)
    shared = h @ unit.T
    left = np.maximum(np.sum(h**2, axis=1)[:, None] - shared**2, _RIDGE)
    best = np.empty((2, len(values)), dtype=np.intp)
    size = max(1, _AT_ONCE // len(h))
    for begin in range(0, len(values), size):
        some = slice(begin, begin + size)
        y = values[some].T - values[some].mean(axis=1)
        of_first, of_second = unit @ y, h @ y
        gains = np.full(y.shape[1], -np.inf)
        for number in range(len(rates)):
            beside = np.maximum(of_second - shared[:, number, None] * of_first[number], 0.0)
            gain = beside**2 / left[:, number, None]
            place = np.argmax(gain, axis=0)
            total = np.take_along_axis(gain, place[None], axis=0)[0] + of_first[number] ** 2
            better = total > gains
            gains = np.where(better, total, gains)
            best[:, some] = np.where(better, np.stack([np.full_like(place, number), place]), best[:, some])
    return rates[best[0]], places[1][best[1], 0], places[0][best[1], 0]


def _restarted(epochs: Array, values: Array, found: Array, starts: Array, reach: int) -> Array:
    """The best t₀ of each curve at the rates that were found, J₂ > 0, among the `reach` starts on either side."""
    at = np.searchsorted(starts, found[:, 5])[:, None] + np.arange(-reach, reach + 1)
    near = starts[at.clip(0, len(starts) - 1)]
    y = values - values.mean(axis=1, keepdims=True)
    g, h = _shapes(epochs, found[:, 2, None, None], found[:, 4, None, None], near[:, :, None])
    unit, h = (shape - shape.mean(axis=2, keepdims=True) for shape in (g, h))
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    shared = np.sum(h * unit, axis=2)
    beside = (h @ y[:, :, None])[..., 0] - shared * np.sum(unit[:, 0] * y, axis=1)[:, None]
    gain = np.maximum(beside, 0.0) ** 2 / np.maximum(np.sum(h**2, axis=2) - shared**2, _RIDGE)
    return np.take_along_axis(near, np.argmax(gain, axis=1)[:, None], axis=1)[:, 0]


def _refined(
    epochs: Array, values: Array, first_rate: Array, second_rate: Array, start: Array, bounds: tuple[float, float]
) -> tuple[Array, Array]:
    """The parameters `(curves, 6)` and their residual sums of squares, from rates that are nearly right."""
    logs = np.log(np.stack([first_rate, second_rate], axis=1))
    linear, left = _linear(epochs, values, logs, start)
    rss, damping = np.sum(left**2, axis=1), np.full(len(values), 1e-3)
    for _ in range(_STEPS):
        step = _step(epochs, left, linear, logs, start, damping)
        trial = np.clip(logs + np.clip(step, -_REACH, _REACH), *bounds)
        trial_linear, trial_left = _linear(epochs, values, trial, start)
        trial_rss = np.sum(trial_left**2, axis=1)
        better: NDArray[np.bool_] = trial_rss < rss
        damping = np.where(better, damping / 5, damping * 5)
        logs, linear = (np.where(better[:, None], new, old) for new, old in ((trial, logs), (trial_linear, linear)))
        left, rss = np.where(better[:, None], trial_left, left), np.where(better, trial_rss, rss)
    rates = np.exp(logs)
    c, first, second = linear.T
    return np.stack([c, first, rates[:, 0], second, rates[:, 1], start], axis=1), rss


def _linear(epochs: Array, values: Array, logs: Array, start: Array) -> tuple[Array, Array]:
    """c, J₁, J₂ by least squares, `(curves, 3)`, and what they leave of the values."""
    g, h = _shapes(epochs, np.exp(logs[:, :1]), np.exp(logs[:, 1:]), start[:, None])
    basis = np.stack([np.ones_like(g), g, h], axis=2)
    across = basis.transpose(0, 2, 1)
    linear = np.linalg.solve(across @ basis + _RIDGE * np.eye(3), across @ values[..., None])[..., 0]
    return np.asarray(linear, np.float64), np.asarray(values - (basis @ linear[..., None])[..., 0], np.float64)


def _step(epochs: Array, left: Array, linear: Array, logs: Array, start: Array, damping: Array) -> Array:
    """How far both log rates should go, `(curves, 2)`: a damped Gauss-Newton step in all five parameters."""
    g, h = _shapes(epochs, np.exp(logs[:, :1]), np.exp(logs[:, 1:]), start[:, None])
    since = (epochs - epochs[0]), (epochs - start[:, None]).clip(0)
    rates = np.exp(logs)
    slopes = (
        -linear[:, 1, None] * rates[:, 0, None] * since[0] * g,
        -linear[:, 2, None] * rates[:, 1, None] * since[1] * h,
    )
    jacobian = np.stack([np.ones_like(g), g, h, *slopes], axis=2)
    across = jacobian.transpose(0, 2, 1)
    normal = across @ jacobian
    diagonal = np.einsum("dii->di", normal)
    diagonal *= 1 + damping[:, None]
    diagonal += _RIDGE
    return np.linalg.solve(normal, across @ left[..., None])[:, 3:, 0]
