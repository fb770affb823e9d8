"""Sections cut into square tiles, and values on tiles put together to sections again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unetdyn._checks import check_count
from unetdyn.data.stack import Stack


@dataclass(frozen=True)
class Tiles:
    """Tiles of a stack, with the place each was cut from.

    Args:
        images: Array of shape `(tiles, size, size, channels)`.
        masks: Array of shape `(tiles, size, size, 1)`.
        section: Integer array of shape `(tiles,)`: the index of each tile's section in the stack.
        row: Integer array of shape `(tiles,)`: each tile's first pixel row in its section.
        col: Integer array of shape `(tiles,)`: each tile's first pixel column.
        names: The names of the stack's sections.
        height: Height of the sections in pixels.
        width: Width of the sections in pixels.
        weights: Array of the masks' shape, or `None`: see `Stack`.
    """

    images: np.ndarray
    masks: np.ndarray
    section: np.ndarray
    row: np.ndarray
    col: np.ndarray
    names: tuple[str, ...]
    height: int
    width: int
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of a tile in pixels."""
        return int(self.images.shape[1])

    def take(self, indices: Sequence[int] | np.ndarray) -> Tiles:
        """The tiles at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.intp)
        fields = ("images", "masks", "section", "row", "col", *(() if self.weights is None else ("weights",)))
        return replace(self, **{field: getattr(self, field)[chosen] for field in fields})


def tile(stack: Stack, size: int, stride: int | None = None) -> Tiles:
    """Cut every section into square tiles that cover it to its border.

    Tiles start at 0, `stride`, 2 `stride`, ... in rows and columns. Where the last one would leave a strip at the
    border uncovered, one more is added, moved inwards so that it ends at the border: it overlaps its neighbour, and
    no pixel is padded or lost.

    Args:
        stack: The sections. Their order is kept: section by section, row by row.
        size: Side of a tile in pixels; a multiple of `2**depth` of the network avoids padding inside it.
        stride: Pixels from one tile to the next, 1 to `size`. Default `None`: `size`, no overlap but at the border.

    Returns:
        `Tiles`; images and masks are copies.

    Raises:
        ValueError: Where `size` is larger than a section, or `stride` larger than `size`, or either is below 1.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, tile
        >>> stack = Stack(np.zeros((2, 10, 8, 1), "uint8"), np.zeros((2, 10, 8, 1), "uint8"), ("a", "b"))
        >>> tiles = tile(stack, size=4)
        >>> len(tiles), sorted(set(tiles.row.tolist())), sorted(set(tiles.col.tolist()))
        (12, [0, 4, 6], [0, 4])
    """
    height, width = stack.images.shape[1:3]
    stride = size if stride is None else stride
    check_count("size", size, least=1, unit="pixels")
    check_count("stride", stride, least=1, unit="pixels", otherwise="or None for no overlap")
    if size > min(height, width):
        raise ValueError(
            f"`size` must be at most the sections' shorter side, {min(height, width)} pixels. "
            f"Received: size={size} for sections of {height}×{width}. Choose smaller tiles, or downsample less."
        )
    if stride > size:
        raise ValueError(
            "`stride` must be at most `size`, or pixels between tiles are lost. "
            f"Received: stride={stride}, size={size}."
        )
    rows, cols = _starts(height, size, stride), _starts(width, size, stride)
    section, row, col = (part.ravel() for part in np.meshgrid(np.arange(len(stack)), rows, cols, indexing="ij"))
    return Tiles(
        _cut(stack.images, size, section, row, col),
        _cut(stack.masks, size, section, row, col),
        section,
        row,
        col,
        stack.names,
        height,
        width,
        None if stack.weights is None else _cut(stack.weights, size, section, row, col),
    )


def stitch(tiles: Tiles, values: np.ndarray) -> np.ndarray:
    """Put values on tiles, such as predictions, together to sections; where tiles overlap, their mean counts.

    The inverse of `tile`: `stitch(tiles, tiles.images)` are the sections' images.

    Args:
        tiles: All tiles of their stack, as `tile` returned them.
        values: Array of shape `(tiles, size, size, channels)`, with any number of channels.

    Returns:
        `float32` array of shape `(sections, height, width, channels)`.

    Raises:
        ValueError: Where `values` has another shape, or the tiles do not cover every pixel.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, stitch, tile
        >>> images = np.arange(24, dtype="uint8").reshape(1, 4, 6, 1)
        >>> tiles = tile(Stack(images, np.zeros_like(images), ("a",)), size=4, stride=3)
        >>> bool((stitch(tiles, tiles.images) == images).all())
        True
    """
    values = np.asarray(values)
    if values.ndim != 4 or values.shape[:3] != tiles.images.shape[:3]:
        raise ValueError(
            f"`values` must have shape (tiles, size, size, channels) with {tiles.images.shape[:3]} in front. "
            f"Received: values.shape={values.shape}."
        )
    total = np.zeros((len(tiles.names), tiles.height, tiles.width, values.shape[-1]))
    count = np.zeros((*total.shape[:3], 1), dtype=np.int64)
    for value, section, row, col in zip(values, tiles.section, tiles.row, tiles.col, strict=True):
        place = np.s_[section, row : row + tiles.size, col : col + tiles.size]
        total[place] += value
        count[place] += 1
    if not count.all():
        raise ValueError(
            f"`tiles` must cover every pixel of their stack. Received: {len(tiles)} tiles that leave "
            f"{int((count == 0).sum())} pixels uncovered. Pass all tiles that `tile` returned."
        )
    return (total / count).astype(np.float32)


def _starts(length: int, size: int, stride: int) -> np.ndarray:
    starts = np.arange(0, length - size + 1, stride)
    return starts if starts[-1] == length - size else np.append(starts, length - size)


def _cut(array: np.ndarray, size: int, section: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(array, (size, size), axis=(1, 2))
    return np.ascontiguousarray(np.moveaxis(windows[section, row, col], 1, -1))
