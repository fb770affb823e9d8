"""What blocks, such as seeds that all cells share, add to every cell alike; and the values without it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.design import dummies, fit, levels
from unetdyn.analysis.comparison.summary import RunSummary


class WithoutBlocks(NamedTuple):
    """What `without_block_effects` left.

    Attributes:
        values: `(runs,)` of each cell, without what blocks add; their means are least-squares means.
        df: Degrees of freedom that the blocks took; 0 where nothing was taken out.
        note: Why nothing was, though blocks were named; empty otherwise.
    """

    values: list[NDArray[np.float64]]
    df: int
    note: str = ""


def without_block_effects(
    cells: Sequence[Sequence[RunSummary]], values: Sequence[NDArray[np.float64]], blocks: Sequence[str]
) -> WithoutBlocks:
    """Values of cells without the effect of blocks: least squares of cell + block, which add up.

    A block's effect is only known where cells share it. Where cells fall into groups that have no block in common, or
    nothing would be left to tell chance from, the values stay as they are.

    Args:
        cells: The runs of each.
        values: `(runs,)` of each cell.
        blocks: Names of factors.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> runs = [[summarise({"val_jaccard": [0.5]}, factors={"seed": seed}) for seed in range(3)] for _ in range(2)]
        >>> found = without_block_effects(runs, [np.array([0.1, 0.3, 0.5]), np.array([0.3, 0.5, 0.9])], ["seed"])
        >>> [value.round(3).tolist() for value in found.values], found.df
        ([[0.333, 0.333, 0.233], [0.533, 0.533, 0.633]], 2)
    """
    own = [np.asarray(each, dtype=np.float64) for each in values]
    if not blocks or not cells:
        return WithoutBlocks(own, 0)
    place = np.repeat(np.arange(len(cells)), [len(each) for each in own])
    of_cells = (place[:, None] == np.arange(len(cells))).astype(np.float64)
    index, different = levels(tuple(run.factors[name] for name in blocks) for cell in cells for run in cell)
    of_blocks = dummies(index)
    design = np.column_stack([of_cells, of_blocks])
    y = np.concatenate(own)
    solution, _, rank, _ = np.linalg.lstsq(design, y)
    names = " and ".join(blocks)
    if rank < len(cells) + len(different) - 1:
        return WithoutBlocks(own, 0, f"{names} is not allowed for: the cells fall into groups that share none")
    if len(y) <= rank or fit(design, y)[1] == 0:
        return WithoutBlocks(own, 0, f"{names} is not allowed for: it would leave nothing to tell chance from")
    effect = of_blocks @ solution[len(cells) :]
    left = y - (effect - effect.mean())
    return WithoutBlocks(np.split(left, np.cumsum([len(each) for each in own])[:-1]), int(rank) - len(cells))
