"""Update-to-weight ratios from sums of squares."""

import numpy as np
from numpy.typing import NDArray


def norm(squares: NDArray) -> NDArray[np.float64]:
    """The norm of several variables taken as one vector: sqrt(Σ squares) over the last axis, in float64."""
    return np.sqrt(squares.sum(axis=-1, dtype=np.float64))


def update_ratio(update_squares: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_]) -> NDArray[np.float64]:
    """‖Δw‖ / ‖w‖ of several variables taken as one vector, at each step.

    Args:
        update_squares: `(steps, variables)`, ‖Δw‖² of each.
        weight_squares: `(steps, variables)`, ‖w‖² of each before the update.
        applied: `(steps,)`, whether the step updated the weights at all.

    Returns:
        `(steps,)`; NaN where nothing was applied, where the weights are all zero, and where a sum is not finite.

    Example:
        >>> applied = np.array([True, False])
        >>> update_ratio(np.array([[9.0, 16.0], [0.0, 0.0]]), np.array([[50.0, 50.0]] * 2), applied).tolist()
        [0.5, nan]
    """
    return _ratio(norm(update_squares), norm(weight_squares), applied)


def angular_update(update_squares: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The angle in radians by which a step turns scale-invariant weights: atan(‖Δw‖ / ‖w‖), root mean square over them.

    The gradient of such weights is orthogonal to them, so that the update is the opposite side of a right angle: exact
    for plain gradient descent, close with momentum, Adam and small weight decay.

    Args:
        update_squares: `(steps, variables)`, one column for each scale-invariant kernel.
        weight_squares: `(steps, variables)`.
        applied: `(steps,)`.

    Returns:
        `(steps,)`, NaN as in `update_ratio`.

    Reference:
        Wan et al., Spherical motion dynamics (NeurIPS 2021), arXiv:2006.08419.
    """
    ratios = _ratio(np.sqrt(update_squares, dtype=np.float64), np.sqrt(weight_squares), applied[:, None])
    return np.sqrt(np.mean(np.arctan(ratios) ** 2, axis=1))


def effective_learning_rate(
    learning_rate: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """η / ‖w‖²: how fast plain gradient descent with rate η moves the direction of scale-invariant weights, on average.

    Args:
        learning_rate: `(steps,)`.
        weight_squares: `(steps, variables)`, one column for each scale-invariant kernel.
        applied: `(steps,)`.

    Returns:
        `(steps,)`, the mean over the kernels; NaN as in `update_ratio`.

    References:
        van Laarhoven (2017), arXiv:1706.05350; Hoffer et al., Norm matters (NeurIPS 2018), arXiv:1803.01814.
    """
    return _ratio(learning_rate[:, None].astype(np.float64), weight_squares, applied[:, None]).mean(axis=1)


def _ratio(numerator: NDArray, denominator: NDArray, applied: NDArray[np.bool_]) -> NDArray[np.float64]:
    numerator, denominator, applied = np.broadcast_arrays(numerator, denominator, applied)
    usable = applied & np.isfinite(numerator) & np.isfinite(denominator) & (denominator > 0)
    return np.divide(numerator, denominator, out=np.full(usable.shape, np.nan), where=usable, dtype=np.float64)
