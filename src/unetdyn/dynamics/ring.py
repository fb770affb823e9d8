"""A ring of rows on the device: the compiled step writes one row, the host reads them all at once."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


class Ring:
    """The last `capacity` rows of float32 columns, and how many rows were ever written.

    Args:
        capacity: Number of rows kept.
        width: Number of columns.
        count: What the counter starts from; a row's number is the counter's value when it was written. An integer
            variable: a float32 one stops counting at 2**24.
        add_variable: Makes a variable from `(shape, dtype=..., initial=...)`.
    """

    def __init__(self, capacity: int, width: int, count: int, add_variable: Callable[..., keras.Variable]) -> None:
        self.capacity = capacity
        self.table = add_variable((capacity, width))
        self.count = add_variable((), dtype="int", initial=count)
        self.next = count  # the number of the first row that has not been taken

    def write(self, row: Tensor) -> None:
        """Put `row`, of shape `(width,)`, in place `count mod capacity`; called inside the compiled step."""
        place = self.count.value % self.capacity
        backend = keras.backend.backend()
        if backend == "torch":
            self.table.value.detach().index_copy_(0, place.reshape(1).long(), row.detach()[None])
        elif backend == "tensorflow":
            import tensorflow as tf

            self.table.value.scatter_update(tf.IndexedSlices(row[None], place[None]))
        else:
            self.table.assign(ops.slice_update(self.table.value, (place, 0), row[None]))
        self.count.assign_add(1)

    def take(self, table: Any, count: Any) -> tuple[np.ndarray, np.ndarray]:
        """The rows written since the last `take`, in order.

        Args:
            table: The value of `self.table` now.
            count: The value of `self.count` now.

        Returns:
            Row numbers `(rows,)` int64 and rows `(rows, width)` float32.
        """
        newest = int(keras.ops.convert_to_numpy(count))
        oldest = max(self.next, newest - self.capacity)
        if oldest > self.next:
            warnings.warn(
                f"{oldest - self.next} training steps were overwritten before they were read: the ring holds "
                f"{self.capacity}. Read more often, or attach the tap with a larger `capacity`.",
                UserWarning,
                stacklevel=4,
            )
        self.next = newest
        numbers = np.arange(oldest, newest, dtype=np.int64)
        if not len(numbers):
            return numbers, np.zeros((0, self.table.shape[1]), np.float32)
        return numbers, keras.ops.convert_to_numpy(table)[numbers % self.capacity]
