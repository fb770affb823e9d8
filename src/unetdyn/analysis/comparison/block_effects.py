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
    """Values of cells without the effect of blocks, by least squares of cell + block + block…, as in `anova`.

    A block's effect is only known where cells share it. Where cells fall into groups that have no block in common, or
    nothing would be left to tell chance from, the values stay as they are.

    Args:
        cells: The runs of each, which have the blocks.
        values: `(runs,)` of each cell.
        blocks: Names of factors, whose effects add up.

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
    runs, sizes = [run for cell in cells for run in cell], [len(each) for each in own]
    of_cells = np.repeat(np.eye(len(cells)), sizes, axis=0)
    of_blocks = np.hstack([dummies(levels(run.factors[name] for run in runs)[0]) for name in blocks])
    design, y = np.hstack([of_cells, of_blocks]), np.concatenate(own)
    rank, squares = fit(design, y)
    names = " and ".join(blocks)
    alone = np.linalg.matrix_rank(np.hstack([np.ones((len(y), 1)), of_blocks]))
    if rank < len(cells) - 1 + alone:
        return WithoutBlocks(own, 0, f"{names} is not allowed for: the cells fall into groups that share none")
    if len(y) == rank or squares == 0:
        return WithoutBlocks(own, 0, f"{names} is not allowed for: it would leave nothing to tell chance from")
    effect = of_blocks @ np.linalg.lstsq(design, y)[0][len(cells) :]
    left = y - (effect - effect.mean())
    return WithoutBlocks(np.split(left, np.cumsum(sizes)[:-1]), rank - len(cells))
