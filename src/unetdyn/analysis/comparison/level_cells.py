"""The levels of a factor over the same settings of all others: means that compare, however each setting scatters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.design import levels
from unetdyn.analysis.comparison.summary import RunSummary


class Estimate(NamedTuple):
    """A mean, or a difference of means.

    Attributes:
        value: NaN where there are no runs.
        error: Its standard error; NaN where it can't be told.
        df: Degrees of freedom of the standard error, Satterthwaite's; NaN where it can't be told.
    """

    value: float
    error: float
    df: float


@dataclass(frozen=True)
class LevelCells:
    """Runs by level of one factor and settings of the others.

    Attributes:
        levels: Of the factor, in the order of their first run.
        settings: Those of the other factors that were run with every level.
        means: `(levels, settings)`.
        counts: `(levels, settings)` how many runs each is of.
        variances: `(levels, settings)` of these runs, divided by their number less 1; NaN where it is one run.
        left_out: How many runs had settings that some level lacks.
    """

    levels: tuple[Any, ...]
    settings: tuple[Any, ...]
    means: NDArray[np.float64]
    counts: NDArray[np.int64]
    variances: NDArray[np.float64]
    left_out: int

    @classmethod
    def of(cls, runs: Sequence[RunSummary], factor: str, others: Sequence[str], y: NDArray[np.float64]) -> "LevelCells":
        """From runs that have the factor and all others, and the response of each.

        Example:
            >>> from unetdyn.analysis.comparison.summary import summarise
            >>> made = [("UNet", 8), ("UNet", 8), ("other", 8), ("other", 16)]
            >>> runs = [summarise({}, factors={"architecture": a, "batch_size": b}) for a, b in made]
            >>> cells = LevelCells.of(runs, "architecture", ["batch_size"], np.array([0.5, 0.7, 0.8, 0.9]))
            >>> cells.settings, cells.means.round(3).tolist(), cells.left_out
            (((8,),), [[0.6], [0.8]], 1)
        """
        level, known = levels(run.factors[factor] for run in runs)
        setting, kinds = levels(tuple(run.factors[name] for name in others) for run in runs)
        shape = (len(known), len(kinds))
        place = level * len(kinds) + setting if len(runs) else level
        counts = np.bincount(place, minlength=shape[0] * shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.bincount(place, weights=y, minlength=len(counts)) / counts
            squares = np.bincount(place, weights=(y - means[place]) ** 2, minlength=len(counts))
            rounding = counts * (8 * np.finfo(np.float64).eps * float(np.abs(y).max(initial=0.0))) ** 2
            squares = np.where(squares > rounding, squares, 0.0)
            variances = squares / np.where(counts > 1, counts - 1, np.nan)
        common: NDArray[np.bool_] = np.all(counts.reshape(shape) > 0, axis=0)
        return cls(
            tuple(known),
            tuple(kind for kind, kept in zip(kinds, common.tolist(), strict=True) if kept),
            means.reshape(shape)[:, common],
            counts.reshape(shape)[:, common],
            variances.reshape(shape)[:, common],
            int(counts.reshape(shape)[:, ~common].sum()),
        )

    @property
    def reason(self) -> str:
        """Why the levels can't be compared; empty where they can."""
        if not self.settings:
            return "no settings were run with every level"
        return "" if (self.counts > 1).all() else "a level has settings with one run only: repeat them with other seeds"

    def mean(self, level: int) -> Estimate:
        """That of a level over the settings, each of which counts alike.

        >>> cells = LevelCells(("a",), ((),), np.array([[2.0]]), np.array([[4]]), np.array([[1.0]]), 0)
        >>> cells.mean(0)
        Estimate(value=2.0, error=0.5, df=3.0)
        """
        weights = np.zeros(len(self.levels))
        weights[level] = 1.0
        return self._combined(weights)

    def difference(self, one: int, other: int) -> Estimate:
        """The mean of one level less that of another."""
        weights = np.zeros(len(self.levels))
        weights[one], weights[other] = 1.0, -1.0
        return self._combined(weights)

    def _combined(self, weights: NDArray[np.float64]) -> Estimate:
        nan = float("nan")
        if not self.settings:
            return Estimate(nan, nan, nan)
        value = float(weights @ self.means.mean(axis=1))
        used = weights != 0
        parts = (self.variances / self.counts)[used] / len(self.settings) ** 2
        total = float(parts.sum())
        if not total > 0:  # NaN where a cell has one run
            return Estimate(value, total, nan)
        return Estimate(value, total**0.5, total**2 / float(np.sum(parts**2 / (self.counts[used] - 1))))
