"""Which tiles there are, in their order, and batches of them, made ready while the one before is predicted."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

import numpy as np

from unetdyn.data.lazy import LazyArray
from unetdyn.inference.grid import Axis
from unetdyn.inference.symmetries import Symmetry


@dataclass(frozen=True)
class Piece:
    """A copy of a tile: one element of a batch.

    Attributes:
        row: The row of tiles it belongs to, of all sections.
        numbers: Which tile it is, along each axis.
        symmetry: How it was mirrored and turned.
    """

    row: int
    numbers: tuple[int, ...]
    symmetry: Symmetry


@dataclass(frozen=True)
class Plan:
    """All pieces, in the order in which they are predicted: a row of tiles after the other.

    In 2D each section has rows of its own. In 3D a row is all tiles that begin at one section.

    Attributes:
        items: How many sections are predicted by themselves: all of them in 2D, in 3D the volume, which is one.
        axes: The axes of a tile.
        symmetries: The copies of each tile.
        batch_size: Pieces that are predicted at once.
    """

    items: int
    axes: tuple[Axis, ...]
    symmetries: tuple[Symmetry, ...]
    batch_size: int

    @property
    def rows(self) -> int:
        """Rows of tiles, of all sections."""
        return self.items * len(self.axes[0].starts)

    @property
    def pieces_a_row(self) -> int:
        """The same number in each."""
        return prod(len(axis.starts) for axis in self.axes[1:]) * len(self.symmetries)

    @property
    def pieces(self) -> int:
        """Of all rows."""
        return self.rows * self.pieces_a_row

    def place(self, row: int) -> tuple[int, int]:
        """Section and number along the first axis of a row."""
        return divmod(row, len(self.axes[0].starts))

    def first_row_for(self, item: int, line: int) -> int:
        """The first row that reaches the line of a section, which all that is before it does not need."""
        axis = self.axes[0]
        reaching = next(number for number in range(len(axis.starts)) if axis.inside(number).stop > line)
        return item * len(axis.starts) + reaching

    def batches_before(self, row: int) -> int:
        """How many batches lie wholly before a row. Each has the same pieces wherever one begins."""
        return row * self.pieces_a_row // self.batch_size

    def all_pieces(self) -> Iterator[Piece]:
        """In their order."""
        others = [range(len(axis.starts)) for axis in self.axes[1:]]
        for row in range(self.rows):
            _, number = self.place(row)
            for numbers in product(*others):
                for symmetry in self.symmetries:
                    yield Piece(row, (number, *numbers), symmetry)

    def batches(self, sections: LazyArray, skipped: int) -> Iterator[tuple[np.ndarray, list[Piece]]]:
        """Batches `(batch_size, *tile, channels)` with their pieces; the last is filled up with zeros.

        Args:
            sections: What the model takes.
            skipped: How many batches are left out.
        """
        tiles = _Tiles(sections, self)
        pieces = islice(self.all_pieces(), skipped * self.batch_size, None)
        sides = tuple(axis.tile for axis in self.axes)
        while chosen := list(islice(pieces, self.batch_size)):
            batch = np.zeros((self.batch_size, *sides, sections.shape[-1]), np.float32)
            for place, piece in zip(batch, chosen, strict=False):
                place[...] = piece.symmetry.apply(tiles.tile(piece))
            yield batch, chosen


class _Tiles:
    """Cuts tiles from a strip as wide as the section, which is read once; mirrored where a section is smaller."""

    def __init__(self, sections: LazyArray, plan: Plan) -> None:
        self._sections, self._plan = sections, plan
        self._of: tuple[int, ...] | None = None
        self._strip = np.empty(0)

    def tile(self, piece: Piece) -> np.ndarray:
        axes, key = self._plan.axes, (piece.row, *piece.numbers[:-1])
        if key != self._of:
            self._of, self._strip = key, self._read(piece)
        start = max(axes[-1].starts[piece.numbers[-1]], 0)
        return self._strip[..., start : start + axes[-1].tile, :]

    def _read(self, piece: Piece) -> np.ndarray:
        axes = self._plan.axes
        inside = [axis.inside(number) for axis, number in zip(axes[:-1], piece.numbers, strict=False)]
        section, _ = self._plan.place(piece.row)
        z = inside[0] if len(axes) == 3 else slice(section, section + 1)
        strip = self._sections.read(z.start, z.stop, (inside[-1], slice(0, axes[-1].length)))
        strip = strip if len(axes) == 3 else strip[0]
        short = [axis.tile - axis.length for axis in axes]
        around = [(missing // 2, missing - missing // 2) if missing > 0 else (0, 0) for missing in short]
        return np.pad(strip, [*around, (0, 0)], mode="reflect") if any(map(sum, around)) else strip


def ahead(batches: Iterator[tuple[np.ndarray, list[Piece]]]) -> Generator[tuple[np.ndarray, list[Piece]], None, None]:
    """The same, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1, "next-batch") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


class Behind:
    """Calls a function in a thread, while the next batch is predicted; one call at a time, in their order."""

    def __init__(self, function: Callable[[Any, Sequence[Piece]], None]) -> None:
        self._function = function
        self._pool = ThreadPoolExecutor(1, "last-batch")
        self._last = self._pool.submit(lambda: None)

    def __enter__(self) -> "Behind":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def submit(self, outputs: Any, pieces: Sequence[Piece]) -> None:
        """Wait for the call before, and raise what it has raised."""
        self.wait()
        self._last = self._pool.submit(self._function, outputs, pieces)

    def wait(self) -> None:
        """Until the last call has returned."""
        self._last.result()
