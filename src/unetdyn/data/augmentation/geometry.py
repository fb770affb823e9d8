"""Resampling: each pixel of the result asks for a place in the image, which lies between pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any
Gather = Callable[[Tensor, Tensor], Tensor]


def places(matrix: Tensor, displacement: Tensor | None, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows and columns, counted from the first pixel, that the pixels of the result show; they may lie outside.

    Args:
        matrix: From `inverse_matrix`, `(batch, 2, 3)`.
        displacement: `(2, batch, height, width)`, added before the matrix; None for none.
        height: Of the images, pixels.
        width: Likewise.

    Returns:
        Two of shape `(batch, height, width)`.
    """
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (ops.arange(height, dtype="float32") - middle_row)[None, :, None]
    columns = (ops.arange(width, dtype="float32") - middle_column)[None, None, :]
    if displacement is not None:
        rows, columns = rows + displacement[0], columns + displacement[1]
    (to_row, by_column, added), (by_row, to_column, also) = (
        [matrix[:, line, entry][:, None, None] for entry in range(3)] for line in (0, 1)
    )
    return (
        to_row * rows + by_column * columns + (added + middle_row),
        by_row * rows + to_column * columns + (also + middle_column),
    )


def reflected(places: Tensor, side: int) -> Tensor:
    """Places within the image: beyond its border it is continued by its mirror image (d c b a | a b c d | d c b a).

    Args:
        places: Along one axis, counted from the first pixel.
        side: Number of pixels along it.

    Returns:
        The same, between 0 and `side - 1`.
    """
    within = places + 0.5
    within = within - 2 * side * ops.floor(within / (2 * side))
    within = ops.minimum(within, 2 * side - within)
    return ops.clip(within - 0.5, 0, side - 1)


def gathered(images: Tensor, masks: Tensor, rows: Tensor, columns: Tensor, gather: Gather) -> tuple[Tensor, Tensor]:
    """Images by the four pixels around each place, masks by the nearest.

    Args:
        images: `(batch, height, width, channels)`.
        masks: The same, with other channels.
        rows: From `places`.
        columns: Likewise.
        gather: Takes `(n, channels)` and indices within it, gives the lines at these.

    Returns:
        Both in their own shapes.
    """
    batch, height, width = images.shape[:3]
    rows, columns = reflected(rows, height), reflected(columns, width)
    offset = (ops.arange(batch, dtype="int32") * (height * width))[:, None, None]

    def taken(array: Tensor, row: Tensor, column: Tensor) -> Tensor:
        index = ops.reshape(ops.cast(row * width + column, "int32") + offset, (-1,))
        return ops.reshape(gather(ops.reshape(array, (-1, array.shape[-1])), index), tuple(array.shape))

    above, left = ops.floor(rows), ops.floor(columns)
    below, right = ops.minimum(above + 1, height - 1), ops.minimum(left + 1, width - 1)
    down, across = (rows - above)[..., None], (columns - left)[..., None]
    first, second = taken(images, above, left), taken(images, below, left)
    upper = first + (taken(images, above, right) - first) * across
    lower = second + (taken(images, below, right) - second) * across
    return upper + (lower - upper) * down, taken(masks, ops.floor(rows + 0.5), ops.floor(columns + 0.5))
