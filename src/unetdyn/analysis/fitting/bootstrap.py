"""How far a fitted asymptote can be trusted: fits of curves made anew from the fit and its own noise."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.ar1 import LARGEST_PHI, autocorrelation, autoregress, innovations
from unetdyn.analysis.fitting import models
from unetdyn.analysis.fitting.models import Array, Fit, Grid

LARGEST_PHI_OF_NOISE = 0.9  # beyond it the residuals are no noise but the shape of another curve
FITTED = 3  # parameters of a curve


class SieveBootstrap:
    """Draws noise like the residuals of a fit: a sieve bootstrap of first order.

    The random choices are the same for every curve, so that a curve's interval doesn't depend on its company.

    Args:
        n: Epochs.
        draws: How many curves are made anew from each.
        seed: Of the choices.

    Reference:
        Bühlmann, Sieve bootstrap for time series (1997).
    """

    def __init__(self, n: int, draws: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.chosen: NDArray[np.int64] = generator.integers(0, n, (n, draws))
        self.normal: Array = generator.standard_normal(draws)

    def noise_like(self, residuals: Array, parameters: int = FITTED) -> Array:
        """Noise as in the residuals.

        eₜ = φ eₜ₋₁ + uₜ, with u drawn from the fit's own innovations, which are enlarged by sqrt(n / (n − p)) for the
        parameters that were fitted. φ isn't known either: each draw has its own, from a normal distribution around the
        estimate (standard deviation sqrt(n (1 − φ²)) / (n − p − 2)), cut to 0 ... 0.9.

        Args:
            residuals: `(curves, n)`.
            parameters: p, how many parameters the fit had. Default 3, those of one descent or rise.

        Returns:
            `(n, curves, draws)`.
        """
        n = residuals.shape[1]
        estimate = autocorrelation(residuals, parameters)
        u = innovations(residuals, np.clip(estimate, 0, LARGEST_PHI_OF_NOISE))
        u = (u - u.mean(axis=1, keepdims=True)) * np.sqrt(n / (n - parameters))
        spread = np.sqrt(n * (1 - np.clip(estimate, -LARGEST_PHI, LARGEST_PHI) ** 2)) / (n - parameters - 2)
        phi = np.clip(estimate[:, None] + spread[:, None] * self.normal, 0, LARGEST_PHI_OF_NOISE)
        noise = np.empty((n, *phi.shape))
        for t, chosen in enumerate(self.chosen):
            noise[t] = u[:, chosen]
        noise[0] /= np.sqrt(1 - phi**2)
        return autoregress(noise, phi)


def refits(grid: Grid, fit: Fit, values: Array, noise: SieveBootstrap) -> tuple[Array, Array, Array]:
    """J∞, a and r, each `(curves, draws)`, of the shape fitted to curves made anew from its own fit.

    The interpolation is off by a little even for the fit itself, without noise; all draws are shifted by that error.
    """
    e = noise.noise_like(values - fit.fitted)
    projection = (grid.unit @ e.reshape(len(e), -1)).reshape(-1, *e.shape[1:])
    own, mean = grid.unit @ fit.fitted.T, fit.fitted.mean(axis=1)
    asymptote, amplitude, rate = models.interpolated(grid, projection + own[:, :, None], mean[:, None] + e.mean(axis=0))
    plain = models.interpolated(grid, own, mean)
    return (
        asymptote + (fit.asymptote - plain[0])[:, None],
        amplitude + (fit.amplitude - plain[1])[:, None],
        rate * (fit.rate / plain[2])[:, None],
    )


def relevelled(fit: Fit, values: Array, noise: SieveBootstrap) -> Array:
    """The level, `(curves, draws)`, of curves made anew around a constant."""
    return fit.asymptote[:, None] + noise.noise_like(values - fit.fitted).mean(axis=0)


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
