"""What two of the backends share."""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def in_float32(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """Each tensor in float32, zero in place of None."""
    zero = ops.zeros((), "float32")
    return [zero if t is None else ops.cast(t, "float32") for t in tensors]


def count_nonfinite(tensors: Sequence[Tensor | None], squares: Tensor) -> Tensor:
    """Entries of each tensor that are NaN or infinite; `squares` are the tensors' sums of squares."""

    def counted() -> Tensor:
        zero = ops.zeros((), "float32")
        counts = [
            zero if t is None else ops.sum(ops.cast(ops.logical_not(ops.isfinite(t)), "float32")) for t in tensors
        ]
        return ops.stack(counts)

    # A tensor with an entry that is not finite has such a sum of squares: where all are finite nothing is counted.
    return ops.cond(ops.all(ops.isfinite(squares)), lambda: ops.zeros_like(squares), counted)
