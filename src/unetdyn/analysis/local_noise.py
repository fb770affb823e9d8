"""The noise of a curve: its size and how much neighbours correlate, whatever the curve beneath does."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import lfilter

SHORTEST = 15

_WINDOWS = 6  # so many windows, side by side, make the curve
_GUARD = 1.5  # standard errors of φ to allow for
_PHI = np.linspace(0, 0.95, 96)
_TO_SIGMA, _CLIP = 1.4826, 5.0
_WARM_UP = 100  # 0.95¹⁰⁰ is 0.006


class LocalNoise(NamedTuple):
    """First-order autoregressive noise, eₜ = φ eₜ₋₁ + innovation.

    Attributes:
        sigma: standard deviation of e.
        phi: correlation of neighbours, from 0 to 0.95.
    """

    sigma: float
    phi: float

    def draw(self, rng: np.random.Generator, draws: int, count: int) -> NDArray[np.float64]:
        """LocalNoise of shape `(draws, count)`."""
        innovations = rng.standard_normal((draws, count + _WARM_UP))
        drawn = lfilter([1], [1, -self.phi], innovations, axis=1)[:, _WARM_UP:]
        return self.sigma * np.sqrt(1 - self.phi**2) * drawn


def local_noise(values: NDArray[np.float64]) -> LocalNoise:
    """The noise around a curve that a parabola follows over a sixth of its length, or over 15 values.

    Values further than 5 robust scales from the running median of five are first drawn in to there, so that a wild
    epoch counts little. In overlapping windows of n values a parabola is fitted and taken away. With M the matrix that
    takes it away and R = (φ^|i−j|) the correlations of the noise, what is left has the mean square σ² tr(M R) / n, and
    the product of neighbours in it the mean σ² tr(S M R M) / n, with S a shift by one. The median over the windows of
    the ratio of the two is solved for φ; σ then follows from the median mean square. One and a half standard
    errors of φ, sqrt((1 − φ²) / length), are added: the noise is rather overestimated than underestimated. A curve that
    bends more than a parabola adds to σ and φ too.

    Args:
        values: `(n,)`, n ≥ `SHORTEST`, finite.
    """
    window = max(SHORTEST, len(values) // _WINDOWS)
    without, mean_squares, lag_ones = _expected(window)
    middle = median_filter(values, 5, mode="nearest")
    reach = _CLIP * _TO_SIGMA * np.median(np.abs(values - middle))
    drawn_in = np.clip(values, middle - reach, middle + reach)
    left = sliding_window_view(drawn_in, window)[:: window // 4] @ without
    squares = np.mean(left**2, axis=1)
    products = np.sum(left[:, 1:] * left[:, :-1], axis=1) / window
    lag_one = np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    phi = np.interp(np.median(lag_one), lag_ones, _PHI)
    phi = min(phi + _GUARD * np.sqrt((1 - phi**2) / len(values)), _PHI[-1])
    return LocalNoise(float(np.sqrt(np.median(squares) / np.interp(phi, _PHI, mean_squares))), float(phi))


@cache
def _expected(window: int) -> tuple[NDArray, NDArray, NDArray]:
    """M, and for each φ of the table the mean square and the lag-one ratio of noise of σ = 1 without its parabola."""
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, window), 3))
    without = np.eye(window) - basis @ basis.T
    distance = np.abs(np.subtract.outer(np.arange(window), np.arange(window)))
    covariances = [without @ phi**distance @ without for phi in _PHI]
    traces = np.array([np.trace(covariance) for covariance in covariances])
    shifted = np.array([np.trace(covariance, offset=1) for covariance in covariances])
    return without, traces / window, shifted / traces
