"""Variance components of runs by cell: a balanced set from its mean squares, any other by restricted likelihood."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from unetdyn.analysis.comparison.component_cells import Cells

_DRAWS = 20_000  # of the pivots: the 2.5 % beyond an end of an interval are then 2.5 % ± 0.1 %
_SEED = 0
_LEAST, _MOST = -18.0, 14.0  # bounds of the logarithm of a variance, whose unit is the variance of the cells' means
_ZERO = 1e-6  # of that unit: what counts as none
_STEPS = (0.5, 1.0, 2.0, 4.0, 8.0)  # from the estimate outwards, in search of the ends of an interval


def by_moments(cells: Cells, active: Sequence[str], confidence: float) -> dict[str, tuple[float, float, float]]:
    """Each active component's unbiased estimate and its generalised confidence interval.

    A mean square MS with d degrees of freedom is distributed as E[MS] · χ²_d / d, so d · MS / χ²_d is a pivot for its
    expectation. A component is a combination of mean squares; the same combination of their pivots gives its interval,
    whose ends are cut at 0.

    Args:
        cells: A balanced set.
        active: The components to estimate.
        confidence: Of the intervals.

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


class _Likelihood:
    """−2 log restricted likelihood of the cells' means and the scatter within, and its gradient.

    The parameters are log σ² of the active components, and for a crossed design the logit of the share that the
    settings' own effect has in σ²_optimisation.
    """

    def __init__(self, cells: Cells, active: Sequence[str]) -> None:
        self.names = list(active)
        self.scale = float(np.var(cells.means)) + cells.within_squares / cells.within_df
        self.y = cells.means / np.sqrt(self.scale)
        self.y = self.y - self.y.mean()
        self.squares, self.df = cells.within_squares / self.scale, cells.within_df
        self.inverse_counts = 1.0 / cells.counts
        same_setting = (cells.setting[:, None] == cells.setting).astype(np.float64)
        self.matrices = {
            "architecture": (cells.architecture[:, None] == cells.architecture).astype(np.float64),
            "setting": same_setting,
            "cell": np.eye(len(self.y)),
            "stochastic": np.diag(self.inverse_counts),
        }
        own = len(self.y) > cells.settings > 1 and "optimisation" in active and cells.design == "crossed"
        self.split = own and cells.architectures > 1

    def start(self) -> NDArray[np.float64]:
        """Equal parts."""
        return np.array([np.log(0.3)] * len(self.names) + [0.0] * self.split)

    def bounds(self, fixed: dict[int, float]) -> list[tuple[float, float]]:
        """Of every parameter; those in `fixed` at their value."""
        free = [(_LEAST, _MOST)] * len(self.names) + [(-8.0, 8.0)] * self.split
        return [(fixed[i], fixed[i]) if i in fixed else limits for i, limits in enumerate(free)]

    def __call__(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        variances = dict(zip(self.names, np.exp(x[: len(self.names)]), strict=True))
        share = 1.0 / (1.0 + np.exp(-x[-1])) if self.split else 0.0
        optimisation, noise = variances.get("optimisation", 0.0), variances["stochastic"]
        covariance = (
            variances.get("architecture", 0.0) * self.matrices["architecture"]
            + share * optimisation * self.matrices["setting"]
            + (1 - share) * optimisation * self.matrices["cell"]
            + noise * self.matrices["stochastic"]
        )
        inverse = np.linalg.inv(covariance)
        column = inverse.sum(axis=1)
        projection = inverse - np.outer(column, column) / column.sum()
        projected = projection @ self.y
        value = np.linalg.slogdet(covariance)[1] + np.log(column.sum()) + self.y @ projected
        value += self.df * np.log(noise) + self.squares / noise
        slope = {
            name: float(np.sum(projection * matrix) - projected @ matrix @ projected)
            for name, matrix in self.matrices.items()
        }
        by_noise = slope["stochastic"] + self.df / noise - self.squares / noise**2
        by_optimisation = share * slope["setting"] + (1 - share) * slope["cell"]
        by = {"architecture": slope["architecture"], "optimisation": by_optimisation, "stochastic": by_noise}
        gradient = [variances[name] * by[name] for name in self.names]
        if self.split:
            gradient.append(optimisation * share * (1 - share) * (slope["setting"] - slope["cell"]))
        return float(value), np.array(gradient)

    def lowest(self, start: NDArray[np.float64], fixed: dict[int, float]) -> tuple[float, NDArray[np.float64]]:
        """The lowest value with some parameters fixed, and where it is."""
        bounds = self.bounds(fixed)
        begin = np.clip(start, [low for low, _ in bounds], [high for _, high in bounds])
        found = optimize.minimize(self, begin, jac=True, method="L-BFGS-B", bounds=bounds)
        return float(found.fun), found.x


def by_reml(cells: Cells, active: Sequence[str], confidence: float) -> dict[str, tuple[float, float, float]]:
    """Each active component's REML estimate and the interval where its profile is within χ²₁ of the best.

    −2 ℓ = log |V| + log (1ᵀ V⁻¹ 1) + yᵀ P y + (N − C) log σ² + SS / σ², with y the means of C cells of N runs, V their
    covariance, P = V⁻¹ − V⁻¹ 1 1ᵀ V⁻¹ / (1ᵀ V⁻¹ 1), SS the sum of squares within cells and σ² the stochastic part.

    Args:
        cells: With at least one cell of two runs.
        active: The components to estimate, `"stochastic"` among them.
        confidence: Of the intervals.

    Returns:
        Component → (estimate ≥ 0, low, high).

    Reference:
        Patterson and Thompson, Recovery of inter-block information when block sizes are unequal (1971).
    """
    # Where each architecture has one setting, the means of cells differ by more than chance, whatever it is called.
    likelihood = _Likelihood(cells, active if len(active) > 1 else ["optimisation", "stochastic"])
    starts = [likelihood.start(), likelihood.start() + np.linspace(-3, 0, len(likelihood.start()))]
    value, best = min((likelihood.lowest(start, {}) for start in starts), key=lambda found: found[0])
    allowed = value + float(stats.chi2.ppf(confidence, 1))
    found = {}
    for index, name in enumerate(likelihood.names):
        ends = [_end(likelihood, best, index, direction, allowed) for direction in (-1, 1)]
        variances = [float(np.exp(x)) for x in (best[index], *ends)]
        estimate, low, high = (0.0 if v < _ZERO else v * likelihood.scale for v in variances)
        found[name] = (estimate, low, high if ends[1] < _MOST else float("inf"))
    return {name: found[name] for name in active}


def _end(likelihood: _Likelihood, best: NDArray[np.float64], index: int, direction: int, allowed: float) -> float:
    """Where the profile of one parameter passes `allowed`, on one side of the best; the bound where it never does."""
    begin = max(best[index], np.log(_ZERO)) if direction > 0 else best[index]

    def excess(x: float) -> float:
        return likelihood.lowest(best, {index: x})[0] - allowed

    inner = begin
    for step in _STEPS:
        outer = float(np.clip(begin + direction * step, _LEAST, _MOST))
        if excess(outer) > 0:
            return float(optimize.brentq(excess, inner, outer, xtol=1e-3))
        inner = outer
        if outer in (_LEAST, _MOST):
            return outer
    last = _LEAST if direction < 0 else _MOST
    return last if excess(last) <= 0 else float(optimize.brentq(excess, inner, last, xtol=1e-3))
