"""Arrays in memory that a backend takes over: XLA wants it to begin at a multiple of 64 bytes, and else copies."""

from __future__ import annotations

import math

import numpy as np

BOUNDARY = 64


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array of any values.

    Example:
        >>> array = aligned_empty((3, 5))
        >>> array.shape, is_aligned(array)
        ((3, 5), True)
    """
    length = 4 * math.prod(shape)
    memory = np.empty(length + BOUNDARY, np.uint8)
    first = -memory.ctypes.data % BOUNDARY
    return memory[first : first + length].view(np.float32).reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Whether it is such memory, in one piece and free to be handed over."""
    return array.ctypes.data % BOUNDARY == 0 and array.flags.c_contiguous and array.flags.writeable
