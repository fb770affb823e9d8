"""Every combination of the levels."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from unetdyn.sweeps.table import SweepError

MOST = 100_000
"""More combinations than anybody trains are a slip."""


def full_factorial(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations; the last factor changes fastest.

    Args:
        factors: Key → its levels.

    Returns:
        One dictionary a combination, key → level.

    Raises:
        SweepError: If there are more than 100,000.

    Example:
        >>> full_factorial({"fit.batch_size": [8, 16], "model.depth": [3]})
        [{'fit.batch_size': 8, 'model.depth': 3}, {'fit.batch_size': 16, 'model.depth': 3}]
    """
    count = math.prod(map(len, factors.values()))
    if count > MOST:
        raise SweepError(
            f"`factors` must have at most {MOST:,} combinations. Received: {count:,}. Name fewer levels, or draw: "
            "design: {kind: random, runs: 100}."
        )
    return [dict(zip(factors, levels, strict=True)) for levels in product(*factors.values())]
