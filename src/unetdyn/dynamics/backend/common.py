"""What two of the backends share."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


def in_float32(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    """Each tensor in float32, zero in place of None."""
    zero = ops.zeros((), "float32")
    return [zero if t is None else ops.cast(t, "float32") for t in tensors]


def wide(dtype: Any) -> str:
    """The type in which numbers of a float type are subtracted and multiplied: 16 bits are too few, 64 are kept.

    >>> wide("float16"), wide("float64")
    ('float32', 'float64')
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def dense_times(gradient: Tensor, factor: Tensor) -> Tensor:
    """A dense gradient by a factor, in its own type; by 1 it is the same to the last bit."""
    product = wide(gradient.dtype)
    return ops.cast(ops.cast(gradient, product) * ops.cast(factor, product), gradient.dtype)


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


class TracedSetting:
    """A setting of an optimizer that is known only when the step runs, where the optimizer expects a number.

    While the step is traced, optimizers compare their momentum with 0, to see whether they keep any: it is.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Tensor) -> None:
        self._value = value
        self.dtype = value.dtype
        self.shape = value.shape

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Tensor:
        return self._value if dtype is None else ops.cast(self._value, dtype)

    def __jax_array__(self) -> Tensor:
        return self._value

    def __eq__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    def __rsub__(self, other: Any) -> Tensor:
        return other - self._value

    def __mul__(self, other: Any) -> Tensor:
        return self._value * other

    __rmul__ = __mul__
