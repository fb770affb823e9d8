"""The part of the result that tiles still add to: nothing else of it is in memory."""

import numpy as np

from unetdyn.inference.grid import Axis
from unetdyn.inference.work import Piece


class Slab:
    """Sums of weighted predictions, from the first line that is not written yet on.

    A line is what lies at one place of the first axis: a row of pixels in 2D, a section in 3D. Shares of tiles add up
    to 1, so that a sum is the average as soon as its last tile is in.

    Args:
        axes: Of the tiles.
        classes: Channels of the model.
        copies: How many copies of each tile are averaged.
        spare: Lines that may wait for others, because they are written together.
    """

    def __init__(self, axes: tuple[Axis, ...], classes: int, copies: int, spare: int) -> None:
        self._axes, self._copies = axes, copies
        lines = min(axes[0].length, axes[0].tile + spare)
        self._sums = np.zeros((lines, *(axis.length for axis in axes[1:]), classes), np.float32)
        self.first = 0
        self._last_key: list[bytes] = []
        self._last_product = np.empty(0, np.float32)

    def begin(self, line: int) -> None:
        """A new section, or one of which all before a line is written."""
        self._sums[...] = 0
        self.first = line

    def add(self, piece: Piece, scores: np.ndarray) -> None:
        """One copy of a tile, `(*tile, classes)`; what is before the first line is left out."""
        pairs = list(zip(self._axes, piece.numbers, strict=True))
        inside = [axis.inside(number) for axis, number in pairs]
        of_tile = [axis.of_tile(number) for axis, number in pairs]
        before = max(self.first - inside[0].start, 0)
        if before >= inside[0].stop - inside[0].start:
            return
        where = [slice(inside[0].start + before - self.first, inside[0].stop - self.first), *inside[1:]]
        part = piece.symmetry.undo(scores)[tuple(of_tile)][before:]
        shares = [axis.weights[number] for axis, number in pairs]
        shares[0] = shares[0][before:] / self._copies
        self._sums[tuple(where)] += part * self._product(shares)

    def _product(self, shares: list[np.ndarray]) -> np.ndarray:
        """Of one tile's shares, `(*tile, 1)`; kept for the next tile, which most often has the same."""
        key = [share.tobytes() for share in shares]
        if key != self._last_key:
            product = np.array(1.0)
            for share in shares:
                product = np.multiply.outer(product, share)
            self._last_key, self._last_product = key, product.astype(np.float32)[..., np.newaxis]
        return self._last_product

    def lines(self, stop: int) -> np.ndarray:
        """The lines up to one, which nothing is added to any more: a view."""
        return self._sums[: stop - self.first]

    def drop(self, stop: int) -> None:
        """Forget them, to make room for others."""
        count = stop - self.first
        for line in range(len(self._sums) - count):  # one by one: NumPy would copy all to move what overlaps
            self._sums[line] = self._sums[line + count]
        self._sums[len(self._sums) - count :] = 0
        self.first = stop
