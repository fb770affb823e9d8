"""Draws, each by itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unetdyn.sweeps.levels import Range, level_at, same
from unetdyn.sweeps.table import SweepError

_TRIES = 1000  # a draw


def random_draws(
    factors: Mapping[str, Sequence[Any] | Range],
    runs: int,
    seed: int = 0,
    allowed: Callable[[Mapping[str, Any]], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """Combinations at random, all different.

    Args:
        factors: Key → levels, or a range.
        runs: How many.
        seed: Of the draws; the first of more runs are those of fewer.
        allowed: Says of a draw whether it may be one; default: each may.

    Returns:
        One dictionary a draw, key → level.

    Raises:
        SweepError: If so many different ones are not found.

    Example:
        >>> sorted(each["a"] for each in random_draws({"a": [1, 2, 3]}, runs=3))
        [1, 2, 3]
    """
    generator = np.random.default_rng(seed)
    found: dict[str, dict[str, Any]] = {}
    for _ in range(_TRIES * runs):
        shares = generator.random(len(factors))
        draw = {key: level_at(factor, share) for (key, factor), share in zip(factors.items(), shares, strict=True)}
        if allowed(draw):
            found.setdefault(same(draw), draw)
        if len(found) == runs:
            return list(found.values())
    raise SweepError(
        f"`design.runs` must be at most the number of different combinations that are allowed. Received: runs={runs}, "
        f"and {len(found)} were found in {_TRIES * runs} draws."
    )
