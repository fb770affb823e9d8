"""Draws that cover each factor evenly."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import qmc

from unetdyn.sweeps.levels import Range, level_at


def latin_hypercube(factors: Mapping[str, Sequence[Any] | Range], runs: int, seed: int = 0) -> list[dict[str, Any]]:
    """A Latin hypercube: each factor is cut into as many equal parts as there are runs, and has one run in each.

    So each of L levels comes equally often where L divides `runs`, and else at most once more than another.

    Args:
        factors: Key → levels, or a range.
        runs: How many draws.
        seed: Of them.

    Returns:
        One dictionary a draw, key → level. With few levels some may be alike.

    Example:
        >>> rates = {"optimizer.learning_rate": Range(low=1e-4, high=1e-2, log=True), "fit.batch_size": [8, 16]}
        >>> drawn = latin_hypercube(rates, runs=4)
        >>> sorted(each["fit.batch_size"] for each in drawn)
        [8, 8, 16, 16]

    Reference:
        McKay, Beckman and Conover, Technometrics 21 (1979); drawn by SciPy.
    """
    shares = qmc.LatinHypercube(len(factors), seed=seed).random(runs)  # `rng` from SciPy 1.15 on
    return [
        {key: _level(factor, float(share), runs) for (key, factor), share in zip(factors.items(), row, strict=True)}
        for row in shares
    ]


def _level(factor: Sequence[Any] | Range, share: float, runs: int) -> Any:
    """Of levels by the number of the part alone, or those between two parts would come as chance has it."""
    if isinstance(factor, Range):
        return level_at(factor, share)
    return factor[int(share * runs) * len(factor) // runs]
