"""Many small tensors as the rows of one table: a kernel, or an array to hand over, for all of them together."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any
Shape = Sequence[int]

WIDTH = 1024  # entries of a row; of a tensor's last row the rest is 0
TOGETHER = 2**21  # entries that are packed at most: 8 MB, which a GPU copies in the time in which it starts two kernels


def together(shapes: Sequence[Shape], limit: int | None = None) -> list[int]:
    """The places of the smallest tensors, which together have no more entries than the limit; in order.

    Args:
        shapes: Of the tensors.
        limit: `TOGETHER` by default.

    Example:
        >>> together([(1024, 1024), (3,), (1024, 1025), ()])
        [0, 1, 3]
    """
    limit = TOGETHER if limit is None else limit
    sizes = [math.prod(shape) for shape in shapes]
    ascending = sorted(range(len(sizes)), key=sizes.__getitem__)
    sums = itertools.accumulate(sizes[place] for place in ascending)
    return sorted(place for place, total in zip(ascending, sums, strict=True) if total <= limit)


def rows_of(shape: Shape) -> int:
    """How many rows a tensor of this shape has in the table.

    >>> rows_of(()), rows_of((1024,)), rows_of((5, 205))
    (1, 1, 2)
    """
    return -(-math.prod(shape) // WIDTH)


def packed(tensors: Sequence[Tensor]) -> Tensor:
    """All entries, in float32: each tensor begins in a row of its own, and the rest of its last row is 0.

    Args:
        tensors: At least one, each with at least one entry; cast if they are of another type.

    Returns:
        A float32 tensor of shape `(sum of rows_of, WIDTH)`.

    Example:
        >>> packed([ops.ones((2, 2)), ops.ones(1025)]).shape[0]
        3
    """
    parts: list[Tensor] = []
    for tensor in tensors:
        parts.append(ops.reshape(ops.cast(tensor, "float32"), (-1,)))
        missing = -math.prod(tensor.shape) % WIDTH
        if missing:
            parts.append(ops.zeros(missing, "float32"))
    return ops.reshape(ops.concatenate(parts), (-1, WIDTH))
