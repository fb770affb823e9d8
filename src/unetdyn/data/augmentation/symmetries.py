"""The exact part of augmentation: reversed rows, columns and sections, and rows exchanged with columns.

Nothing is interpolated. A device chooses among whole copies (`turned`); a CPU is faster with one copy of each tile
(`turned_on_host`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from unetdyn.data.augmentation.aligned import aligned_empty

Tensor = Any

_STRIP = 64  # rows of a tile that are transposed at a time: twice as fast as all at once


def turned(tiles: Tensor, exact: Mapping[str, Tensor]) -> Tensor:
    """Tiles, each by its own draw.

    Args:
        tiles: `(batch, height, width, channels)`, or with depth before height.
        exact: As in `Draws`.
    """

    def chosen(name: str, other: Tensor) -> Tensor:
        return ops.where(ops.reshape(exact[name], (-1, *[1] * (len(tiles.shape) - 1))), other, tiles)

    for name, axis in (("order", 1), ("rows", -3), ("columns", -2)):
        if name in exact:
            tiles = chosen(name, ops.flip(tiles, axis=axis))
    if "swap" in exact:
        tiles = chosen("swap", ops.swapaxes(tiles, -3, -2))
    return tiles


def turned_on_host(tiles: np.ndarray, exact: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same of arrays, as a new float32 array in `aligned` memory.

    Example:
        >>> tiles = np.arange(4.0).reshape(1, 2, 2, 1)
        >>> drawn = {"rows": np.array([True]), "swap": np.array([True])}
        >>> turned_on_host(tiles, drawn)[0, :, :, 0].tolist()
        [[2.0, 0.0], [3.0, 1.0]]
    """
    result = aligned_empty(tiles.shape)
    for index, tile in enumerate(tiles):
        order, rows, columns, swap = (
            name in exact and exact[name][index] for name in ("order", "rows", "columns", "swap")
        )
        seen = (tile[::-1] if order else tile)[..., :: -1 if rows else 1, :: -1 if columns else 1, :]
        if not swap:
            result[index] = seen
            continue
        for first in range(0, seen.shape[-3], _STRIP):
            strip = slice(first, first + _STRIP)
            result[index][..., strip, :] = np.swapaxes(seen[..., strip, :, :], -3, -2)
    return result
