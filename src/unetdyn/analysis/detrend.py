"""What is left of a training's curve without its trend."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DECAYS = 3
TREND_PARAMETERS = 3 + _DECAYS
"""Of `detrend`: a quadratic has three, and each decay one."""

_LEAST_SCATTER = 1e-12  # of the values' size: below it, what is left is the rounding of constants


def detrend(epochs: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """What is left of a curve without its smooth trend.

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


def around_monotone(values: ArrayLike, *, rising: bool) -> NDArray[np.float64]:
    """What is left of a curve without its descent or its rise, whatever their shape.

    The values minus the curve that only rises, or only falls, and is nearest to them by least squares: rᵢ = vᵢ − mᵢ,
    with m the minimiser of Σ (vᵢ − mᵢ)² under m₁ ≤ m₂ ≤ … (≥ where it falls). A training that goes well leaves exactly
    0, be it slow or fast. Ten values of noise around a constant keep about 0.9 of their standard deviation: the fit to
    n values has Σ 1/i levels, and follows the noise that far.

    Args:
        values: Shape `(n,)`, oldest first, finite.
        rising: Whether the value should rise, as a metric, or fall, as a loss.

    Returns:
        Shape `(n,)`, in the unit of the values.

    Example:
        >>> around_monotone([0.9, 0.5, 0.4], rising=False).tolist()
        [0.0, 0.0, 0.0]
        >>> around_monotone([1.0, 3.0, 2.0, 4.0], rising=True).tolist()
        [0.0, 0.5, -0.5, 0.0]

    Reference:
        Barlow, Bartholomew, Bremner and Brunk, Statistical inference under order restrictions (1972); the number of
        levels: Miles, The complete amalgamation into blocks, by weighted means, of a finite set of real numbers (1959).
    """
    from scipy.optimize import isotonic_regression  # slow to import, and `detrend` needs none of it

    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return array
    return array - isotonic_regression(array, increasing=rising).x
