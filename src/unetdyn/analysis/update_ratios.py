"""Update-to-weight ratios from sums of squares, of several groups of variables at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Groups = Sequence[Sequence[int]]
"""Columns of the variables that belong together, at least one in each group."""


def norm(squares: NDArray) -> NDArray[np.float64]:
    """The norm of several variables taken as one vector: sqrt(Σ squares) over the last axis, in float64."""
    return np.sqrt(squares.sum(axis=-1, dtype=np.float64))


def norms(squares: NDArray, groups: Groups) -> NDArray[np.float64]:
    """The norm of each group's variables taken as one vector.

    Args:
        squares: `(steps, variables)`, ‖·‖² of each variable.
        groups: What is taken together.

    Returns:
        `(groups, steps)`, summed in float64.

    Example:
        >>> norms(np.array([[9.0, 16.0, 1.0]]), [[0, 1], [2]]).tolist()
        [[5.0], [1.0]]
    """
    return np.sqrt(_sums(_of(squares, groups).astype(np.float64), groups))


def update_ratio(
    update_squares: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_], groups: Groups
) -> NDArray[np.float64]:
    """‖Δw‖ / ‖w‖ of each group's variables taken as one vector, at each step.

    Args:
        update_squares: `(steps, variables)`, ‖Δw‖² of each.
        weight_squares: `(steps, variables)`, ‖w‖² of each before the update.
        applied: `(steps,)`, whether the step updated the weights at all.
        groups: What is taken together.

    Returns:
        `(groups, steps)`; NaN where nothing was applied, where the weights are all zero, and where a sum is not finite.

    Example:
        >>> applied = np.array([True, False])
        >>> update_ratio(np.array([[9.0, 16.0], [0.0, 0.0]]), np.array([[50.0, 50.0]] * 2), applied, [[0, 1]]).tolist()
        [[0.5, nan]]
    """
    return _ratio(norms(update_squares, groups), norms(weight_squares, groups), applied)


def angular_update(
    update_squares: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_], groups: Groups
) -> NDArray[np.float64]:
    """The angle in radians by which a step turns scale-invariant weights: atan(‖Δw‖ / ‖w‖), root mean square over them.

    The gradient of such weights is orthogonal to them, so that the update is the opposite side of a right angle: exact
    for plain gradient descent, close with momentum, Adam and small weight decay.

    Args:
        update_squares: `(steps, variables)`.
        weight_squares: `(steps, variables)`.
        applied: `(steps,)`.
        groups: Of scale-invariant kernels.

    Returns:
        `(groups, steps)`, NaN as in `update_ratio`.

    Reference:
        Wan et al., Spherical motion dynamics (NeurIPS 2021), arXiv:2006.08419.
    """
    updates, weights = _of(update_squares, groups), _of(weight_squares, groups)
    ratios = _ratio(np.sqrt(updates, dtype=np.float64), np.sqrt(weights), applied)
    return np.sqrt(_means(np.arctan(ratios) ** 2, groups))


def effective_learning_rate(
    learning_rate: NDArray, weight_squares: NDArray, applied: NDArray[np.bool_], groups: Groups
) -> NDArray[np.float64]:
    """η / ‖w‖²: how fast plain gradient descent with rate η moves the direction of scale-invariant weights, on average.

    Args:
        learning_rate: `(steps,)`.
        weight_squares: `(steps, variables)`.
        applied: `(steps,)`.
        groups: Of scale-invariant kernels.

    Returns:
        `(groups, steps)`, the mean over the kernels; NaN as in `update_ratio`.

    References:
        van Laarhoven (2017), arXiv:1706.05350; Hoffer et al., Norm matters (NeurIPS 2018), arXiv:1803.01814.
    """
    return _means(_ratio(learning_rate.astype(np.float64), _of(weight_squares, groups), applied), groups)


def _of(squares: NDArray, groups: Groups) -> NDArray:
    """The columns of all groups as rows, one group after another."""
    return squares.T[[column for columns in groups for column in columns]]


def _sums(rows: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Of each group's rows."""
    starts = np.cumsum([0, *map(len, groups)])[:-1]
    return np.add.reduceat(rows, starts, axis=0) if len(groups) else rows


def _means(rows: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    return _sums(rows, groups) / np.array([[len(columns)] for columns in groups]).reshape(-1, 1)


def _ratio(numerator: NDArray, denominator: NDArray, applied: NDArray[np.bool_]) -> NDArray[np.float64]:
    numerator, denominator, applied = np.broadcast_arrays(numerator, denominator, applied)
    usable = applied & np.isfinite(numerator) & np.isfinite(denominator) & (denominator > 0)
    return np.divide(numerator, denominator, out=np.full(usable.shape, np.nan), where=usable, dtype=np.float64)
