"""Numbers as tensors that are made where they are needed, instead of being sent there.

Of a number that `keras.ops` is given Keras makes a tensor on the host and copies it, and on PyTorch that copy makes the
host wait for all that the GPU was told before (Keras 3.15). An operator, as in `x != 0`, takes numbers as they are.
Where there is none, as for `where` and `maximum`, these are filled in on the device.
"""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def scalar(value: float, dtype: Any) -> Tensor:
    """A number, `()`; rounded to the type as any conversion would.

    >>> float(scalar(0.25, "float32"))
    0.25
    """
    return ops.zeros((), dtype) + value


def vector(values: Sequence[float], dtype: Any) -> Tensor:
    """A few numbers, such as one for each class, `(number,)`: each is an operation of its own.

    >>> vector([1, 2], "int32").shape[0]
    2
    """
    return ops.stack([scalar(value, dtype) for value in values])
