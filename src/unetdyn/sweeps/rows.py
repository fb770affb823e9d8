"""From the combinations of a design to the rows of its table, in an order that a sweep may be cut short in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unetdyn.sweeps.design import Design
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.table import Row, SweepError


def rows_of(design: Design, cells: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """Every combination with every seed and every setting of the blocks, but what `exclude` forbids.

    All combinations come with the first seed, in a random order, before any comes with the second. With blocks there
    are as many passes a seed as settings of the blocks; in each pass the combinations take these settings in turn, and
    each combination another one than in the pass before. So a sweep that is cut short lacks at most one run more of a
    combination than of another, and its blocks are about as even.

    Args:
        design: Seeds, blocks, exclusions, and the seed of the order.
        cells: From `unetdyn.sweeps.designs.choice`.

    Returns:
        The rows, numbered from 1; their `config` is still empty.

    Raises:
        SweepError: If `exclude` leaves none.

    Example:
        >>> factors = {"a": [1, 2], "b": [1, 2]}
        >>> design = Design(name="x", base={}, factors=factors, seeds=2)
        >>> rows = rows_of(design, full_factorial(factors))
        >>> [row.seed for row in rows], sorted(row.cell for row in rows[:4])
        ([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4])
    """
    blocks = full_factorial(design.blocks)
    generator = np.random.default_rng(design.design.seed)
    rows: list[Row] = []
    for seed in design.seed_list:
        turns = generator.permutation(len(cells))
        for lap in range(len(blocks)):
            for cell in map(int, generator.permutation(len(cells))):
                settings, block = dict(cells[cell]), blocks[(int(turns[cell]) + lap) % len(blocks)]
                if not design.excludes({**settings, **block}):
                    rows.append(Row(len(rows) + 1, cell + 1, seed, settings, dict(block), ""))
    if not rows:
        raise SweepError("`exclude` must leave combinations to run. Received: exclusions that forbid every one.")
    return tuple(rows)
