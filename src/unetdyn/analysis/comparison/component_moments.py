"""Variance components of a balanced set, from its mean squares."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.component_cells import Cells

_DRAWS = 20_000  # of the pivots: the 2.5 % beyond an end of an interval are then 2.5 % ± 0.1 %
_SEED = 0


def by_moments(cells: Cells, active: Sequence[str], confidence: float) -> dict[str, tuple[float, float, float]]:
    """Each active component's unbiased estimate and its generalised confidence interval.

    A mean square MS with d degrees of freedom has E[MS] · χ²_d / d as its distribution, so d · MS / χ²_d is a pivot for
    its expectation, and the same combination of pivots that makes the component of mean squares makes its interval,
    whose ends are cut at 0.

    Args:
        cells: a balanced set.
        active: the components to estimate.
        confidence: of the intervals.

    Returns:
        Component → (estimate, low, high); the estimate may be negative.

    Reference:
        Weerahandi, Generalized Confidence Intervals (1993).
    """
    squares, degrees = _mean_squares(cells)
    weights = _weights(cells, squares)
    means = np.array(list(squares.values()))
    pivots = means / _chi_squares(tuple(degrees.values()))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = {}
    for name in active:
        low, high = np.maximum(np.quantile(pivots @ weights[name], tails), 0.0)
        found[name] = (float(means @ weights[name]), float(low), float(high))
    return found


@lru_cache(maxsize=4)
def _chi_squares(degrees: tuple[int, ...]) -> NDArray[np.float64]:
    """`(draws, strata)` of χ²_d / d, the same for the same degrees of freedom."""
    return np.random.default_rng(_SEED).chisquare(degrees, (_DRAWS, len(degrees))) / np.array(degrees)


def _mean_squares(cells: Cells) -> tuple[dict[str, float], dict[str, int]]:
    """Stratum → mean square and its degrees of freedom, of the strata that have any, in the order of their size."""
    table, n = cells.table(), int(cells.counts[0])
    a, b = table.shape
    rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    sums = {"architecture": (n * b * np.sum((rows - mean) ** 2), a - 1)}
    if cells.design == "crossed":
        both = table - rows[:, None] - columns + mean
        sums["setting"] = (n * a * np.sum((columns - mean) ** 2), b - 1)
        sums["cell"] = (n * np.sum(both**2), (a - 1) * (b - 1))
    else:
        sums["cell"] = (n * np.sum((table - rows[:, None]) ** 2), a * (b - 1))
    sums["within"] = (cells.within_squares, cells.within_df)
    kept = {name: (total, df) for name, (total, df) in sums.items() if df > 0}
    return {name: float(s / df) for name, (s, df) in kept.items()}, {name: df for name, (_, df) in kept.items()}


def _weights(cells: Cells, squares: dict[str, float]) -> dict[str, NDArray[np.float64]]:
    """Component → its combination of mean squares: each is the difference to the next stratum, over what it holds."""
    a, b = cells.table().shape
    n = int(cells.counts[0])
    place = {name: np.eye(len(squares))[index] for index, name in enumerate(squares)}
    cell = place.get("cell", place["within"])
    nothing = np.zeros(len(squares))
    optimisation = (place["cell"] - place["within"]) / n if "cell" in place else nothing
    if "setting" in place:
        optimisation = optimisation + (place["setting"] - cell) / (a * n)
    return {
        "architecture": (place["architecture"] - cell) / (b * n) if "architecture" in place else nothing,
        "optimisation": optimisation,
        "stochastic": place["within"],
    }
