"""How far a fitted asymptote can be trusted: fits of curves made anew from the fit and its own noise."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.fitting import models
from unetdyn.analysis.fitting.models import Array, Fit, Grid

LARGEST_PHI = 0.9
_FITTED = 3  # parameters of a curve


def autocorrelation(residuals: Array) -> Array:
    """Lag-one autocorrelation of the noise, from the residuals of a fit with three parameters; not yet cut to a range.

    The residuals' own r₁ is too small, by (3 + 5φ) / n when three smooth terms were fitted (for a mean it is
    (1 + 3φ) / n, for a line (2 + 4φ) / n): φ = (n r₁ + 3) / (n − 5).

    Args:
        residuals: `(curves, n)`, n > 5.

    Reference:
        Kendall (1954) and Marriott and Pope (1954) for the mean; the others follow the pattern, and the intervals that
        they lead to were measured to cover.
    """
    n = residuals.shape[1]
    squares = np.sum(residuals**2, axis=1)
    lagged = np.sum(residuals[:, 1:] * residuals[:, :-1], axis=1)
    r1 = np.divide(lagged, squares, out=np.zeros_like(squares), where=squares > 0)
    return (n * r1 + _FITTED) / (n - _FITTED - 2)


class Noise:
    """The random choices of a bootstrap, the same for every curve: a curve's interval doesn't depend on its company.

    Args:
        n: Epochs.
        draws: How many curves are made anew from each.
        seed: Of the choices.
    """

    def __init__(self, n: int, draws: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.chosen: NDArray[np.int64] = generator.integers(0, n, (n, draws))
        self.normal: Array = generator.standard_normal(draws)

    def like(self, residuals: Array) -> Array:
        """Noise as in the residuals: a sieve bootstrap of first order.

        eₜ = φ eₜ₋₁ + uₜ, with u drawn from the fit's own innovations, which are enlarged by sqrt(n / (n − 3)) for the
        parameters that were fitted. φ isn't known either: each draw has its own, from a normal distribution around the
        estimate (standard deviation sqrt(n (1 − φ²)) / (n − 5)), cut to 0 ... 0.9.

        Args:
            residuals: `(curves, n)`.

        Returns:
            `(n, curves, draws)`.
        """
        n = residuals.shape[1]
        estimate = autocorrelation(residuals)
        u = models.innovations(residuals, np.clip(estimate, 0, LARGEST_PHI))
        u = (u - u.mean(axis=1, keepdims=True)) * np.sqrt(n / (n - _FITTED))
        spread = np.sqrt(n * (1 - np.clip(estimate, -0.95, 0.95) ** 2)) / (n - _FITTED - 2)
        phi = np.clip(estimate[:, None] + spread[:, None] * self.normal, 0, LARGEST_PHI)
        noise = np.empty((n, *phi.shape))
        noise[0] = u[:, self.chosen[0]] / np.sqrt(1 - phi**2)
        for t in range(1, n):
            noise[t] = phi * noise[t - 1] + u[:, self.chosen[t]]
        return noise


def refits(grid: Grid, fit: Fit, values: Array, noise: Noise) -> tuple[Array, Array, Array]:
    """J∞, a and r, each `(curves, draws)`, of the shape fitted to curves made anew from its own fit.

    What the interpolation makes of the fit itself, without noise, is off by a little; all draws are shifted by that.
    """
    e = noise.like(values - fit.fitted)
    projection = (grid.unit @ e.reshape(len(e), -1)).reshape(-1, *e.shape[1:])
    own, mean = grid.unit @ fit.fitted.T, fit.fitted.mean(axis=1)
    asymptote, amplitude, rate = models.interpolated(grid, projection + own[:, :, None], mean[:, None] + e.mean(axis=0))
    plain = models.interpolated(grid, own, mean)
    return (
        asymptote + (fit.asymptote - plain[0])[:, None],
        amplitude + (fit.amplitude - plain[1])[:, None],
        rate * (fit.rate / plain[2])[:, None],
    )


def relevelled(fit: Fit, values: Array, noise: Noise) -> Array:
    """The level, `(curves, draws)`, of curves made anew around a constant."""
    return fit.asymptote[:, None] + noise.like(values - fit.fitted).mean(axis=0)


def mixed_interval(draws: Array, weights: Array, confidence: float) -> tuple[Array, Array]:
    """The interval that leaves out as much on either side, when each model's draws count by the model's weight.

    Args:
        draws: `(models, curves, draws)`.
        weights: `(models, curves)`, whose sum over the models is 1.
        confidence: Share inside.

    Returns:
        The lower and the upper ends, `(curves,)`.

    Reference:
        Turek and Fletcher (2012): model-averaged tail areas, here those of a bootstrap.
    """
    count = draws.shape[2]
    pooled = np.concatenate(list(draws), axis=1)
    shares = np.repeat(weights.T / count, count, axis=1)
    order = np.argsort(pooled, axis=1)
    pooled = np.take_along_axis(pooled, order, axis=1)
    below = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
    tail = (1 - confidence) / 2
    first = np.argmax(below >= tail, axis=1)
    last = np.argmax(below >= 1 - tail - 1e-12, axis=1)
    rows = np.arange(len(pooled))
    return pooled[rows, first], pooled[rows, last]
