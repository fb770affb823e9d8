"""Mirrors and quarter turns of a tile, and the way back."""

from dataclasses import dataclass
from itertools import product

import numpy as np

CHOICES = (None, "mirrors", "all")


@dataclass(frozen=True)
class Symmetry:
    """Mirrored along some axes, then turned in the plane of the last two.

    Attributes:
        mirrored: Axes of the tile, counted from behind the last of space: −1 is x, −2 is y, −3 is z.
        turns: Quarter turns.
    """

    mirrored: tuple[int, ...] = ()
    turns: int = 0

    def apply(self, tile: np.ndarray) -> np.ndarray:
        """A view of a tile `(…, y, x, channels)`."""
        return np.rot90(np.flip(tile, self._axes()), self.turns, axes=(-3, -2))

    def undo(self, tile: np.ndarray) -> np.ndarray:
        """A view of what was predicted for it, in the place of the tile."""
        return np.flip(np.rot90(tile, -self.turns, axes=(-3, -2)), self._axes())

    def _axes(self) -> tuple[int, ...]:
        return tuple(axis - 1 for axis in self.mirrored)


def symmetries(tta: str | None, rank: int) -> tuple[Symmetry, ...]:
    """The copies of a tile that are predicted.

    Args:
        tta: None: the tile itself. `"mirrors"`: along every axis, 4 in 2D and 8 in 3D. `"all"`: with the quarter turns
            in the plane of a section, 8 in 2D and 16 in 3D.
        rank: 2 or 3.

    Example:
        >>> [len(symmetries(tta, rank)) for rank in (2, 3) for tta in (None, "mirrors", "all")]
        [1, 4, 8, 1, 8, 16]
    """
    if tta is None:
        return (Symmetry(),)
    axes, turns = list(range(-rank, 0)), range(1)
    if tta == "all":
        axes.remove(-2)  # a mirror along y is one along x and two quarter turns
        turns = range(4)
    chosen = product(*((False, True) for _ in axes), turns)
    return tuple(
        Symmetry(tuple(axis for axis, is_chosen in zip(axes, flips, strict=True) if is_chosen), quarter)
        for *flips, quarter in chosen
    )
