"""What is left of a curve without its descent or its rise, whatever their shape."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression


def around_monotone(values: ArrayLike, *, rising: bool) -> NDArray[np.float64]:
    """The values minus the curve that only rises, or only falls, and is nearest to them by least squares.

    rᵢ = vᵢ − mᵢ, with m the minimiser of Σ (vᵢ − mᵢ)² under m₁ ≤ m₂ ≤ … (≥ where it falls). A training that goes well
    leaves exactly 0, be it slow or fast; of noise around a constant about 0.9 of its standard deviation is left in ten
    values, because the fit has Σ 1/i levels for n values and follows that much of it.

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
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        return array
    return array - isotonic_regression(array, increasing=rising).x
