"""Differences between the levels of a factor, with intervals that hold for all pairs at once."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from unetdyn.analysis.comparison.level_cells import LevelCells
from unetdyn.analysis.comparison.linear_model import LinearModel
from unetdyn.analysis.result import Determinable, interval, number

_ESTIMABLE = 1e-8  # of 1: how far a contrast may be from what the design can tell


@dataclass(frozen=True)
class LevelDifference(Determinable):
    """How much better one level of a factor is than another, in the unit of the response.

    Attributes:
        one: The level whose mean is taken.
        other: The level whose mean is subtracted.
        difference: NaN where not defined.
        low: Lower end of the interval, which holds for all pairs of the factor at once; NaN where not defined.
        high: Upper end.
        p: Adjusted for all pairs of the factor.
        reason: In words, why it has none; empty where it has.
    """

    one: Any
    other: Any
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        shown = f"{number(self.difference)} ({interval(self.low, self.high)}), p = {number(self.p)}"
        return [(f"{self.one} − {self.other}", self._if_determined(shown))]


def pooled_differences(model: LinearModel, factor: str, confidence: float) -> tuple[LevelDifference, ...]:
    """Each pair by the model's residual mean square."""
    known = model.levels[factor]
    found = []
    for one, other in combinations(range(len(known)), 2):
        pair = (known[one], known[other])
        contrast = _contrast(model, factor, one, other)
        if model.untestable:
            found.append(LevelDifference(*pair, reason=model.untestable))
        elif np.abs(contrast - contrast @ model.inverse @ model.whole).max() > _ESTIMABLE:
            found.append(LevelDifference(*pair, reason="the settings of the others are not the same for both"))
        else:
            weights = contrast @ model.inverse
            error = math.sqrt(model.residual_squares / model.residual_df * float(weights @ weights))
            value = float(weights @ model.y)
            found.append(_simultaneous(pair, value, error, len(known), model.residual_df, confidence))
    return tuple(found)


def _contrast(model: LinearModel, factor: str, one: int, other: int) -> NDArray[np.float64]:
    """`(columns,)` of the whole design: one level less another, averaged over the levels of every other factor."""

    def dummy(name: str, level: int) -> NDArray[np.float64]:
        return (np.arange(1, len(model.levels[name])) == level).astype(np.float64)

    parts = [np.zeros(1)]
    for term in (*model.blocks, *model.terms):
        product = np.ones(1)
        for name in term:
            count = len(model.levels[name])
            own = dummy(name, one) - dummy(name, other) if name == factor else np.full(count - 1, 1 / count)
            product = (product[:, None] * own).ravel()
        parts.append(product if factor in term else np.zeros(len(product)))
    return np.concatenate(parts)


def separate_differences(cells: LevelCells, confidence: float) -> tuple[LevelDifference, ...]:
    """Each pair by the variances of the cells."""
    found = []
    for one, other in combinations(range(len(cells.levels)), 2):
        pair = (cells.levels[one], cells.levels[other])
        value, error, df = cells.difference(one, other)
        if cells.reason or not error > 0:
            found.append(LevelDifference(*pair, reason=cells.reason or "repeated runs do not differ at all"))
        else:
            found.append(_simultaneous(pair, value, error, len(cells.levels), df, confidence))
    return tuple(found)


def _simultaneous(
    pair: tuple[Any, Any], value: float, error: float, count: int, df: float, confidence: float
) -> LevelDifference:
    """By the studentised range of so many means."""
    half = _range_quantile(count, df, confidence) / math.sqrt(2) * error
    return LevelDifference(*pair, value, value - half, value + half, _p(abs(value) / error, count, df))


def _p(t: float, count: int, df: float) -> float:
    """The probability of so large a difference, in standard errors, of any two of so many equal means."""
    if count == 2:  # Student's t, and much faster
        return float(2 * stats.t.sf(t, df))
    return float(np.clip(stats.studentized_range.sf(t * math.sqrt(2), count, df), 0.0, 1.0))


@lru_cache(maxsize=1024)
def _range_quantile(count: int, df: float, confidence: float) -> float:
    """Of the studentised range; between those of one pair alone and of Bonferroni's, where it is looked for."""
    tail = (1 - confidence) / 2
    pairs = count * (count - 1) / 2
    low, high = (math.sqrt(2) * float(stats.t.isf(each, df)) for each in (tail, tail / pairs))
    if count == 2:
        return low
    return float(optimize.brentq(lambda q: stats.studentized_range.sf(q, count, df) - 2 * tail, low, high, xtol=1e-7))
