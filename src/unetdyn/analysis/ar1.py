"""First-order autoregressive noise, eₜ = φ eₜ₋₁ + uₜ with uₜ ~ N(0, s²): how to estimate it, and how to draw it.

Neighbouring epochs err alike, so that ten of them tell less than ten independent values. All estimates of φ but the
last start from the lag-one autocorrelation of a fit's residuals. Which to take depends on what is known of the curve:

| estimate | when |
| --- | --- |
| `autocorrelation` | residuals of a least-squares fit with p parameters, of many curves at once |
| `fit_ar1` | the same for one curve, with the size of the innovations, so that noise can be drawn from it |
| `robust_autocorrelation` | residuals with outliers, where too small a φ would claim too much |
| `local_ar1` | a curve of any shape, of which no fit as a whole can be trusted |
| `phi_under_lines` | a spectrum in which a few strong lines stand out of the noise |
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from unetdyn.analysis.robust import scaled_mad

Array = NDArray[np.float64]

LARGEST_PHI = 0.95
SHORTEST_LOCAL = 15  # values that `local_ar1` needs

_ROBUST_CLIP = 2.5  # robust standard deviations; a spike would hide the autocorrelation
_LOCAL_CLIP = 5.0
_LOCAL_WINDOWS = 6  # so many windows, side by side, make the curve
_LOCAL_GUARD = 1.5  # standard errors of φ to allow for
_LOCAL_PHI = np.linspace(0, LARGEST_PHI, 96)
_SPECTRAL_PHI = np.arange(0.0, 0.96, 0.01)


class AR1(NamedTuple):
    """First-order autoregressive noise.

    Attributes:
        phi: φ, from −0.95 to 0.95; 0 is white noise.
        sigma_innovation: The standard deviation s of the innovations, in the unit of the value.
        epochs: How many values it was estimated from.
        parameters: How many parameters the fit had that left these values.
    """

    phi: float
    sigma_innovation: float
    epochs: int = 0
    parameters: int = 0

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise itself: s / sqrt(1 − φ²).

        >>> AR1(0.6, 0.8).sigma
        1.0
        """
        return float(self.sigma_innovation / np.sqrt(1 - self.phi**2))

    def error_of_mean(self, count: int) -> float:
        """Standard error of the mean of `count` neighbours, the root of σ² / n · (1 + 2 Σₖ (1 − k / n) φᵏ).

        >>> AR1(0.0, 1.0).error_of_mean(4)
        0.5
        """
        lags = np.arange(1, count)
        shared = 1 + 2 * float(np.sum((1 - lags / count) * self.phi**lags))
        return self.sigma * float(np.sqrt(max(shared, 0.0) / count))

    def draw(self, count: int, draws: int, rng: np.random.Generator) -> Array:
        """Shape `(draws, count)`: histories of this noise and nothing else.

        >>> AR1(0.9, 1.0).draw(5, 3, np.random.default_rng(0)).shape
        (3, 5)
        """
        return _drawn(np.full(draws, self.phi), np.full(draws, self.sigma_innovation), count, rng)

    def draw_with_uncertainty(self, count: int, draws: int, rng: np.random.Generator) -> Array:
        """As `draw`, but each history with a φ and an s of its own, as uncertain as the estimates are.

        φ ~ N(φ̂, (1 − φ̂²) / ν + c² / 2) and s² ~ ν ŝ² / χ²(ν), with ν = epochs − p, where p counts the parameters of the
        fit, and c = p (1 + φ̂) / epochs, what `fit_ar1` added for them. That c is itself uncertain by 1 / sqrt(2) of its
        size was measured on simulated trainings of 20 to 300 epochs; the tests repeat it.

        >>> few = AR1(0.5, 1.0, 16, 6).draw_with_uncertainty(1, 10_000, np.random.default_rng(0))
        >>> many = AR1(0.5, 1.0, 10_000, 6).draw_with_uncertainty(1, 10_000, np.random.default_rng(0))
        >>> bool(few.std() > 1.2 * many.std())
        True
        """
        freedom = max(self.epochs - self.parameters, 1)
        correction = self.parameters * (1 + self.phi) / max(self.epochs, 1)
        spread = np.sqrt((1 - self.phi**2) / freedom + correction**2 / 2)
        phi = self.phi + spread * rng.standard_normal(draws)
        sigma = self.sigma_innovation * np.sqrt(freedom / rng.chisquare(freedom, draws))
        return _drawn(np.clip(phi, -LARGEST_PHI, LARGEST_PHI), sigma, count, rng)


def _drawn(phi: Array, sigma_innovation: Array, count: int, rng: np.random.Generator) -> Array:
    unit = rng.standard_normal((count, len(phi)))
    unit[0] /= np.sqrt(1 - phi**2)
    return (sigma_innovation * autoregress(unit, phi)).T


def autoregress(innovations: Array, phi: float | Array) -> Array:
    """The noise that innovations make along the first axis, written over them: e₀ = u₀, eₜ = φ eₜ₋₁ + uₜ.

    It is stationary from the first value on where u₀ was divided by sqrt(1 − φ²), or after some values are left out.

    Args:
        innovations: `(n, ...)`.
        phi: φ, one for all or `(...)`.

    Example:
        >>> autoregress(np.array([1.0, 0.0, 2.0]), 0.5).tolist()
        [1.0, 0.5, 2.25]
    """
    for t in range(1, len(innovations)):
        innovations[t] += phi * innovations[t - 1]
    return innovations


def innovations(residuals: Array, phi: float | Array) -> Array:
    """What is new in each residual along the last axis: e₀ sqrt(1 − φ²), then eₜ − φ eₜ₋₁.

    >>> innovations(np.array([[1.0, 1.0, 0.5]]), np.array([0.6])).tolist()
    [[0.8, 0.4, -0.09999999999999998]]
    """
    phi = np.asarray(phi)[..., None]
    first = residuals[..., :1] * np.sqrt(1 - phi**2)
    return np.concatenate([first, residuals[..., 1:] - phi * residuals[..., :-1]], axis=-1)


def lag_one(residuals: Array) -> Array:
    """r₁ = Σ eₜ eₜ₋₁ / Σ eₜ² along the last axis; 0 where all are 0.

    >>> float(lag_one(np.array([1.0, -1.0, 1.0, -1.0])))
    -0.75
    """
    squares = np.sum(residuals**2, axis=-1)
    products = np.sum(residuals[..., 1:] * residuals[..., :-1], axis=-1)
    return np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)


def autocorrelation(residuals: Array, parameters: int) -> Array:
    """φ from the residuals of a fit, corrected for what the fit took away; not cut to a range.

    φ = (n r₁ + p) / (n − p − 2), because p smooth terms make r₁ too small by (p + (p + 2) φ) / n: for a mean
    (1 + 3φ) / n, for a line (2 + 4φ) / n.

    Args:
        residuals: `(..., n)` in order, n > p + 2.
        parameters: p, how many parameters the fit had.

    Reference:
        Kendall, and Marriott and Pope, both in Biometrika 41 (1954), for a mean; van Giersbergen, On the effect of
        deterministic terms on the bias in stable AR models (2005), for a line. A smooth trend of p parameters takes p
        of the slowest components in the same way, which the tests check by simulation.
    """
    n = residuals.shape[-1]
    return (n * lag_one(residuals) + parameters) / (n - parameters - 2)


def fit_ar1(residuals: ArrayLike, parameters: int) -> AR1:
    """The noise that the residuals of a fit look like: φ by `autocorrelation`, s from the innovations.

    Args:
        residuals: `(n,)` in order.
        parameters: How many parameters the fit had.

    Returns:
        `AR1`; φ is 0 where the residuals are all 0, or too few to tell.

    Example:
        >>> found = fit_ar1(AR1(0.5, 1.0).draw(20_000, 1, np.random.default_rng(0))[0], parameters=0)
        >>> round(found.phi, 2), round(found.sigma_innovation, 2)
        (0.5, 1.0)
    """
    left = np.asarray(residuals, dtype=np.float64)
    count = len(left)
    if not left.any() or count <= parameters + 2:
        return AR1(0.0, 0.0, count, parameters)
    phi = float(np.clip(autocorrelation(left, parameters), -LARGEST_PHI, LARGEST_PHI))
    # The first residual is no innovation, so one value less; the fit took `parameters` more.
    fresh = innovations(left, phi)[1:]
    return AR1(phi, float(np.sqrt(fresh @ fresh / max(count - 1 - parameters, 1))), count, parameters)


def robust_autocorrelation(residuals: Array, parameters: int, guard: float) -> Array:
    """φ from residuals with outliers, from 0 to 0.95, rather too large than too small.

    They are clipped at 2.5 robust standard deviations; `guard` standard errors are added to `autocorrelation`: φ of a
    few values is uncertain, and too small a φ makes intervals too narrow. A negative φ counts as 0.

    Args:
        residuals: `(..., n)` in order.
        parameters: How many parameters the fit had.
        guard: Standard errors of φ, sqrt((1 − φ²) / n), to allow for, ≥ 0.
    """
    middle = np.median(residuals, axis=-1, keepdims=True)
    reach = _ROBUST_CLIP * scaled_mad(residuals, middle)
    clipped = np.clip(residuals - middle, -reach, reach)
    clipped -= clipped.mean(axis=-1, keepdims=True)
    phi = np.clip(autocorrelation(clipped, parameters), 0, LARGEST_PHI)
    return _guarded(phi, residuals.shape[-1], guard)


def _guarded(phi: float | Array, count: int, guard: float) -> Array:
    return np.minimum(phi + guard * np.sqrt((1 - phi**2) / count), LARGEST_PHI)


def local_ar1(values: Array) -> AR1:
    """The noise around a curve that a parabola follows over a sixth of its length, or over 15 values.

    Values further than 5 robust standard deviations from the running median of five are first drawn in to there, so
    that a wild epoch counts little. In overlapping windows of n values a parabola is fitted and taken away. With M the
    matrix that takes it away and R = (φ^|i−j|) the correlations of the noise, what is left has the mean square
    σ² tr(M R) / n, and the product of neighbours in it the mean σ² tr(S M R M) / n, with S a shift by one. The median
    over the windows of the ratio of the two is solved for φ; σ then follows from the median mean square. One and a half
    standard errors of φ are added: the noise is rather overestimated than underestimated. A curve that bends more than
    a parabola adds to σ and φ too.

    Args:
        values: `(n,)`, n ≥ `SHORTEST_LOCAL`, finite.

    Returns:
        `AR1`, with φ from 0 to 0.95.
    """
    window = max(SHORTEST_LOCAL, len(values) // _LOCAL_WINDOWS)
    without, mean_squares, lag_ones = _parabola_removed(window)
    middle = np.median(sliding_window_view(np.pad(values, 2, mode="edge"), 5), axis=1)
    reach = _LOCAL_CLIP * scaled_mad(values, middle)
    drawn_in = np.clip(values, middle - reach, middle + reach)
    left = sliding_window_view(drawn_in, window)[:: window // 4] @ without
    phi = _guarded(np.interp(np.median(lag_one(left)), lag_ones, _LOCAL_PHI), len(values), _LOCAL_GUARD)
    square = np.median(np.mean(left**2, axis=1)) / np.interp(phi, _LOCAL_PHI, mean_squares)
    return AR1(float(phi), float(np.sqrt(square) * np.sqrt(1 - phi**2)), len(values), 3)


@cache
def _parabola_removed(window: int) -> tuple[Array, Array, Array]:
    """M, and for each φ of the table the mean square and the lag-one ratio of noise of σ = 1 without its parabola."""
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, window), 3))
    without = np.eye(window) - basis @ basis.T
    distance = np.abs(np.subtract.outer(np.arange(window), np.arange(window)))
    covariances = [without @ phi**distance @ without for phi in _LOCAL_PHI]
    traces = np.array([np.trace(covariance) for covariance in covariances])
    shifted = np.array([np.trace(covariance, offset=1) for covariance in covariances])
    return without, traces / window, shifted / traces


def phi_under_lines(frequency: Array, power: Array) -> float:
    """φ, from 0 to 0.95, of the noise under the lines of a spectrum.

    The logarithm of the spectrum is fitted with the least absolute deviation, which a few lines do not move.

    Args:
        frequency: `(m,)`, in cycles a step.
        power: `(m,)`.

    Reference:
        Mann and Lees, Robust estimation of background noise and signal detection in climatic time series (1996).
    """
    logs = np.log(np.maximum(power, np.finfo(float).tiny))
    costs = []
    for phi in _SPECTRAL_PHI:
        off = logs + np.log(inverse_spectrum(frequency, phi))
        costs.append(float(np.mean(np.abs(off - np.median(off)))))
    return float(_SPECTRAL_PHI[int(np.argmin(costs))])


def inverse_spectrum(frequency: Array, phi: float) -> Array:
    """1 + φ² − 2φ cos 2πf: a spectrum times this is white where it was that of the noise."""
    return 1 + phi**2 - 2 * phi * np.cos(2 * np.pi * frequency)
