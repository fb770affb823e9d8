"""Levels of factors: lists of them, ranges, and when two are the same."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from unetdyn._part import Part
from unetdyn.runs.strict_json import dumps

_DIGITS = 6


class Range(Part):
    """All numbers between two, for kinds of designs that draw."""

    low: float
    high: float
    log: bool = Field(False, description="as many between 1e-4 and 1e-3 as between 1e-3 and 1e-2")
    integer: bool = Field(False, description="whole numbers only, both ends included")

    @model_validator(mode="after")
    def _has_a_width(self) -> "Range":
        if not self.low < self.high:
            raise ValueError(f"`low` must be below `high`. Received: low={self.low:g}, high={self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"with log: true, `low` must be above 0. Received: low={self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(
                f"with integer: true, both ends must be whole. Received: low={self.low:g}, high={self.high:g}"
            )
        return self


def level_at(factor: Sequence[Any] | Range, share: float) -> Any:
    """The level at a share of the way through a factor.

    Args:
        factor: Levels, each as wide as the others, or a range: linear, or in logarithms, whole numbers
            being as wide as from half below to half above.
        share: From 0 to below 1.

    Returns:
        A level; of a range a number with six digits.

    Example:
        >>> level_at(["a", "b", "c"], 0.7), level_at(Range(low=1e-4, high=1e-2, log=True), 0.5)
        ('c', 0.001)
        >>> [level_at(Range(low=2, high=4, integer=True), share) for share in (0.0, 0.3, 0.34, 0.99)]
        [2, 2, 3, 4]
    """
    if not isinstance(factor, Range):
        return factor[min(int(share * len(factor)), len(factor) - 1)]
    half = 0.5 if factor.integer else 0.0
    low, high = factor.low - half, factor.high + half
    if factor.log:
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    if factor.integer:
        return int(min(max(math.floor(value + 0.5), factor.low), factor.high))
    return min(max(float(f"{value:.{_DIGITS}g}"), factor.low), factor.high)


def same(level: Any) -> str:
    """A text that is the same of equal levels: 1 and 1.0 are, 1 and true are not.

    >>> same(1.0) == same(1), same(True) == same(1), same([1, "a"]) == same((1, "a"))
    (True, False, True)
    """
    return dumps(_plain(level))


def _plain(level: Any) -> Any:
    if isinstance(level, Mapping):
        return {key: _plain(level[key]) for key in sorted(level)}
    if isinstance(level, Sequence) and not isinstance(level, str):
        return list(map(_plain, level))
    is_whole = isinstance(level, float) and math.isfinite(level) and level.is_integer()
    return int(level) if is_whole else level
