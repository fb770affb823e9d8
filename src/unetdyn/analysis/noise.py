"""What is left of a logged value without its trend, and how much of that one epoch remembers of the one before."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DECAYS = 3
TREND_PARAMETERS = 3 + _DECAYS
"""Of `detrend`: a quadratic has three, and each decay one."""

_MOST_MEMORY = 0.95
_LEAST_SCATTER = 1e-12  # of the values' size: below it, what is left is the rounding of constants


class Noise(NamedTuple):
    """First-order autoregressive noise: eₜ = φ eₜ₋₁ + uₜ with uₜ ~ N(0, s²).

    Attributes:
        memory: φ, from −0.95 to 0.95; 0 is white noise.
        innovation: s, in the unit of the value.
        epochs: how many values it was estimated from.
    """

    memory: float
    innovation: float
    epochs: int

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise itself: s / sqrt(1 − φ²).

        >>> Noise(0.6, 0.8, 100).sigma
        1.0
        """
        return float(self.innovation / np.sqrt(1 - self.memory**2))

    def error_of_mean(self, count: int) -> float:
        """Standard error of the mean of `count` neighbours: σ² / n · (1 + 2 Σₖ (1 − k / n) φᵏ), its square root.

        >>> Noise(0.0, 1.0, 100).error_of_mean(4)
        0.5
        """
        lags = np.arange(1, count)
        shared = 1 + 2 * float(np.sum((1 - lags / count) * self.memory**lags))
        return self.sigma * float(np.sqrt(max(shared, 0.0) / count))

    def draw(self, count: int, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Shape `(draws, count)`: histories of this noise and nothing else.

        >>> Noise(0.9, 1.0, 100).draw(5, 3, np.random.default_rng(0)).shape
        (3, 5)
        """
        return _autoregressive(np.full(draws, self.memory), np.full(draws, self.innovation), count, rng)

    def draw_plausible(self, count: int, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """As `draw`, but each history with a memory and an innovation that the data leave possible.

        φ ~ N(φ̂, (1 − φ̂²) / ν + c² / 2) and s² ~ ν ŝ² / χ²(ν), with ν = epochs − 6, the parameters of the trend, and
        c = 6 (1 + φ̂) / epochs, what `ar1` added for them. That c is itself uncertain by 1 / sqrt(2) of its size was
        measured on simulated trainings of 20 to 300 epochs; the tests repeat it.

        >>> few = Noise(0.5, 1.0, 16).draw_plausible(1, 10_000, np.random.default_rng(0))
        >>> many = Noise(0.5, 1.0, 10_000).draw_plausible(1, 10_000, np.random.default_rng(0))
        >>> bool(few.std() > 1.2 * many.std())
        True
        """
        freedom = max(self.epochs - TREND_PARAMETERS, 1)
        correction = TREND_PARAMETERS * (1 + self.memory) / max(self.epochs, 1)
        spread = np.sqrt((1 - self.memory**2) / freedom + correction**2 / 2)
        memory = self.memory + spread * rng.standard_normal(draws)
        innovation = self.innovation * np.sqrt(freedom / rng.chisquare(freedom, draws))
        return _autoregressive(np.clip(memory, -_MOST_MEMORY, _MOST_MEMORY), innovation, count, rng)


def _autoregressive(
    memory: NDArray[np.float64], innovation: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    noise = rng.standard_normal((count, len(memory)))
    noise[0] /= np.sqrt(1 - memory**2)
    for t in range(1, count):
        noise[t] += memory * noise[t - 1]
    return (innovation * noise).T


def detrend(epochs: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """What is left of a training's curve without its trend.

    The trend is the least-squares fit of a quadratic and of three exponential decays whose times lie between two epochs
    and a fifth of the history: such curves fall fast, then slowly, and may rise again. It takes away six degrees of
    freedom, and whatever swings less than about three times in the history.

    Args:
        epochs: `(n,)` ascending; gaps are allowed.
        values: `(n,)` finite.

    Returns:
        `(n,)`: exactly 0 where nothing but rounding is left.

    Example:
        >>> t = np.arange(50)
        >>> bool(np.abs(detrend(t, 0.3 + 0.01 * t + np.exp(-t / 2))).max() < 1e-9)
        True
    """
    values = np.asarray(values, dtype=np.float64)
    time = np.asarray(epochs, dtype=np.float64)
    if len(time) < 2:
        return np.zeros(len(time))
    time = time - time[0]
    unit = time / time[-1]
    decays = [np.exp(-time / tau) for tau in np.geomspace(2, max(time[-1] / 5, 4), _DECAYS)]
    basis = np.stack([np.ones_like(unit), unit, unit**2, *decays], axis=1)
    size = float(np.abs(values).max()) or 1.0
    scaled = values / size
    left = scaled - basis @ np.linalg.lstsq(basis, scaled, rcond=None)[0]
    return np.where(np.abs(left) > _LEAST_SCATTER, left, 0.0) * size


def ar1(residuals: ArrayLike, parameters: int = TREND_PARAMETERS) -> Noise:
    """The first-order autoregressive noise that residuals look like.

    φ̂ = Σ rₜ rₜ₋₁ / Σ rₜ², corrected for what the fitted trend took away: φ = (n φ̂ + p) / (n − p − 2).

    Args:
        residuals: `(n,)` of a fit, in order.
        parameters: p, how many parameters the fit had.

    Returns:
        `Noise`; φ is 0 where the residuals are all 0, or too few to tell.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = ar1(Noise(0.5, 1.0, 0).draw(20_000, 1, rng)[0], parameters=0)
        >>> round(found.memory, 2), round(found.innovation, 2)
        (0.5, 1.0)

    Reference:
        The bias for a mean: Marriott & Pope, and Kendall, both in Biometrika 41 (1954). A smooth trend of p parameters
        takes p of the slowest components in the same way, which the tests check by simulation.
    """
    left = np.asarray(residuals, dtype=np.float64)
    count, power = len(left), float(left @ left)
    if not power or count <= parameters + 2:
        return Noise(0.0, 0.0, count)
    raw = float(left[1:] @ left[:-1]) / power
    corrected = (count * raw + parameters) / (count - parameters - 2)
    memory = float(np.clip(corrected, -_MOST_MEMORY, _MOST_MEMORY))
    fresh = left[1:] - memory * left[:-1]
    # The first residual is no innovation, so one value less; the trend took `parameters` more.
    return Noise(memory, float(np.sqrt(fresh @ fresh / max(count - 1 - parameters, 1))), count)
