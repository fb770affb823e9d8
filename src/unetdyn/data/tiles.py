"""Sections cut into square tiles, or blocks of them in 3D, and values on tiles put together to sections again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unetdyn._checks import check_count
from unetdyn.data.lazy import LazyArray
from unetdyn.data.stack import Stack

Block = tuple[int, int, int]


@dataclass(frozen=True)
class Tiles:
    """Tiles of a stack, with the place each was cut from.

    Args:
        images: Array of shape `(tiles, size, size, channels)`, or `(tiles, depth, height, width, channels)` in 3D; a
            `LazyArray` where the stack is on disk.
        masks: The same with 1 channel.
        section: Integer array of shape `(tiles,)`: the index of each tile's section in the stack, in 3D of its first.
        row: Integer array of shape `(tiles,)`: each tile's first pixel row in its section.
        col: Integer array of shape `(tiles,)`: each tile's first pixel column.
        names: The names of the stack's sections.
        height: Height of the sections in pixels.
        width: Width of the sections in pixels.
        weights: Array of the masks' shape, or `None`: see `Stack`.
    """

    images: np.ndarray | LazyArray
    masks: np.ndarray | LazyArray
    section: np.ndarray
    row: np.ndarray
    col: np.ndarray
    names: tuple[str, ...]
    height: int
    width: int
    weights: np.ndarray | LazyArray | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of a tile in pixels; in 3D the height."""
        return int(self.images.shape[-3])

    @property
    def extent(self) -> tuple[int, int, int]:
        """Sections, rows and columns of a tile; in 2D there is one section."""
        depth, height, width = (1, *self.images.shape[1:-1])[-3:]
        return int(depth), int(height), int(width)

    def take(self, indices: Sequence[int] | np.ndarray) -> Tiles:
        """The tiles at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.intp)
        parts = {name: getattr(self, name) for name in ("images", "masks", "section", "row", "col", "weights")}
        return replace(self, **{name: part.take(chosen, axis=0) for name, part in parts.items() if part is not None})


def tile(stack: Stack, size: int | Block, stride: int | Block | None = None) -> Tiles:
    """Cut every section into square tiles that cover it to its border, or a volume into blocks of sections.

    Tiles start at 0, `stride`, 2 `stride`, ... in rows and columns. Where the last one would leave a strip at the
    border uncovered, one more is added, moved inwards so that it ends at the border: it overlaps its neighbour, and
    no pixel is padded or lost. In 3D the same holds along the sections, of which a tile has only such as adjoin
    (`Stack.position`): none reaches from one volume into another, or over sections that were left out.

    Args:
        stack: The sections. Their order is kept: section by section, row by row. Where they are on disk, the tiles are
            read when they are used.
        size: Side of a tile in pixels; a multiple of `2**depth` of the network avoids padding inside it. For tiles in
            3D `(depth, height, width)`: sections, rows and columns.
        stride: Pixels from one tile to the next, 1 to `size`; in 3D three of them, or one for all. Default `None`:
            `size`, no overlap but at the border.

    Returns:
        `Tiles`; images and masks are copies, or a `LazyArray` where the stack has one.

    Raises:
        ValueError: Where `size` is larger than a section or has more sections than adjoin, or `stride` larger than
            `size`, or either is below 1.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, tile
        >>> stack = Stack(np.zeros((2, 10, 8, 1), "uint8"), np.zeros((2, 10, 8, 1), "uint8"), ("a", "b"))
        >>> tiles = tile(stack, size=4)
        >>> len(tiles), sorted(set(tiles.row.tolist())), sorted(set(tiles.col.tolist()))
        (12, [0, 4, 6], [0, 4])
        >>> tile(stack, size=(2, 4, 8)).images.shape
        (3, 2, 4, 8, 1)
    """
    height, width = stack.images.shape[1:3]
    sizes = _three("size", size)
    strides = sizes if stride is None else _three("stride", stride, "or None for no overlap", sizes[0])
    if sizes[1] > height or sizes[2] > width:
        raise ValueError(
            f"`size` must be at most the sections' shorter side, {min(height, width)} pixels. "
            f"Received: size={size} for sections of {height}×{width}. Choose smaller tiles, or downsample less."
        )
    if any(step > side for step, side in zip(strides, sizes, strict=True)):
        raise ValueError(
            "`stride` must be at most `size`, or pixels between tiles are lost. "
            f"Received: stride={stride}, size={size}."
        )
    sections = np.concatenate([run[_starts(len(run), sizes[0], strides[0])] for run in _adjoining(stack, sizes[0])])
    rows, cols = _starts(height, sizes[1], strides[1]), _starts(width, sizes[2], strides[2])
    starts = np.stack([part.ravel() for part in np.meshgrid(sections, rows, cols, indexing="ij")], axis=1)
    cut = sizes if isinstance(size, Sequence) else sizes[1:]
    images, masks = (_cut(array, starts, cut) for array in (stack.images, stack.masks))
    weights = None if stack.weights is None else _cut(stack.weights, starts, cut)
    section, row, col = starts.T
    return Tiles(images, masks, section, row, col, stack.names, height, width, weights)


def stitch(tiles: Tiles, values: np.ndarray) -> np.ndarray:
    """Put values on tiles, such as predictions, together to sections; where tiles overlap, their mean counts.

    The inverse of `tile`: `stitch(tiles, tiles.images)` are the sections' images.

    Args:
        tiles: All tiles of their stack, as `tile` returned them.
        values: Array of the shape of `tiles.images`, with any number of channels.

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
    if values.ndim != tiles.images.ndim or values.shape[:-1] != tiles.images.shape[:-1]:
        axes = "tiles, size, size" if tiles.images.ndim == 4 else "tiles, depth, height, width"
        raise ValueError(
            f"`values` must have shape ({axes}, channels) with {tiles.images.shape[:-1]} in front. "
            f"Received: values.shape={values.shape}."
        )
    total = np.zeros((len(tiles.names), tiles.height, tiles.width, values.shape[-1]))
    count = np.zeros((*total.shape[:3], 1), dtype=np.int64)
    depth, height, width = tiles.extent
    for value, section, row, col in zip(values, tiles.section, tiles.row, tiles.col, strict=True):
        place = np.s_[section : section + depth, row : row + height, col : col + width]
        total[place] += value
        count[place] += 1
    if not count.all():
        raise ValueError(
            f"`tiles` must cover every pixel of their stack. Received: {len(tiles)} tiles that leave "
            f"{int((count == 0).sum())} pixels uncovered. Pass all tiles that `tile` returned."
        )
    return (total / count).astype(np.float32)


def _three(argument: str, received: int | Block, otherwise: str = "", depth: int = 1) -> Block:
    """Sections, rows and columns; of one number, `depth` sections at most."""
    if not isinstance(received, Sequence):
        check_count(argument, received, least=1, unit="pixels", otherwise=otherwise)
        return min(received, depth), received, received
    if len(received) != 3:
        raise ValueError(
            f"`{argument}` must be one number for square tiles, or three (depth, height, width) for tiles in 3D. "
            f"Received: {argument}={received!r}."
        )
    for number in received:
        check_count(argument, number, least=1, unit="pixels", otherwise=otherwise)
    return received[0], received[1], received[2]


def _adjoining(stack: Stack, depth: int) -> list[np.ndarray]:
    """The indices of the sections in runs that adjoin, each at least `depth` long."""
    runs = np.split(np.arange(len(stack)), np.flatnonzero(np.diff(stack.places) != 1) + 1)
    if depth == 1:
        return [np.arange(len(stack))]
    shortest = min(runs, key=len)
    if len(shortest) < depth:
        raise ValueError(
            f"`size` must have at most as many sections as adjoin. Received: a depth of {depth}, but from "
            f"{stack.names[shortest[0]]!r} on there are {len(shortest)}. Choose less depth, or parts and volumes of "
            "more sections."
        )
    return runs


def _starts(length: int, size: int, stride: int) -> np.ndarray:
    starts = np.arange(0, length - size + 1, stride)
    return starts if starts[-1] == length - size else np.append(starts, length - size)


def _cut(array: np.ndarray | LazyArray, starts: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray | LazyArray:
    if isinstance(array, LazyArray):
        return array.cut(starts, sizes)
    depth, height, width = (1, *sizes)[-3:]
    tiles = np.empty((len(starts), *sizes, array.shape[-1]), array.dtype)
    for index, (section, row, col) in enumerate(starts):
        part = array[section : section + depth, row : row + height, col : col + width]
        tiles[index] = part.reshape(tiles.shape[1:])
    return tiles
