"""Repeated runs by their cell, a pair of architecture and settings: the numbers that variance components need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.design import levels


@dataclass(frozen=True)
class Cells:
    """Runs by cell.

    Attributes:
        architecture: `(cells,)` index of each cell's architecture.
        setting: `(cells,)` index of its settings, of one numbering for all architectures where the design is crossed.
        counts: `(cells,)` how many runs it has.
        means: `(cells,)` their mean.
        within_squares: Sum of squares of the runs around the mean of their cell.
        design: `"nested"` or `"crossed"`.
    """

    architecture: NDArray[np.int64]
    setting: NDArray[np.int64]
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    within_squares: float
    design: str

    @classmethod
    def of(cls, pairs: Sequence[tuple[Any, Any]], y: NDArray[np.float64], design: str | None) -> "Cells":
        """From (architecture, settings) of each run and its response.

        >>> cells = Cells.of([("a", 1), ("a", 1), ("b", 1)], np.array([1.0, 3.0, 5.0]), None)
        >>> cells.means.tolist(), cells.counts.tolist(), cells.within_squares, cells.design
        ([2.0, 5.0], [2, 1], 2.0, 'crossed')
        """
        index, cells = levels(pairs)
        counts = np.bincount(index, minlength=len(cells))
        means = np.bincount(index, weights=y, minlength=len(cells)) / counts
        squares = float(np.sum((y - means[index]) ** 2)) if len(y) else 0.0
        rounding = len(y) * (8 * np.finfo(np.float64).eps * float(np.abs(y).max(initial=0.0))) ** 2
        architecture, _ = levels(pair[0] for pair in cells)
        setting, different = levels(pair[1] for pair in cells)
        shared = len(different) < len(cells)
        return cls(
            architecture,
            setting,
            counts,
            means,
            squares if squares > rounding else 0.0,
            design or ("crossed" if shared else "nested"),
        )

    @property
    def architectures(self) -> int:
        """How many there are."""
        return len(np.unique(self.architecture))

    @property
    def settings(self) -> int:
        """How many different ones there are."""
        return len(np.unique(self.setting))

    @property
    def within_df(self) -> int:
        """Degrees of freedom of `within_squares`."""
        return int(self.counts.sum()) - len(self.counts)

    @property
    def balanced(self) -> bool:
        """As many runs in each cell, as many settings with each architecture; when crossed, all with all."""
        per = np.bincount(self.architecture)
        even = len(set(self.counts.tolist())) <= 1 and len(set(per.tolist())) <= 1
        return even and (self.design == "nested" or len(self.counts) == self.architectures * self.settings)

    def table(self) -> NDArray[np.float64]:
        """`(architectures, settings of each)` means of a balanced set."""
        order = np.lexsort((self.setting, self.architecture))
        return self.means[order].reshape(self.architectures, -1)
