"""Copies of a GPU's arrays in page-locked memory of the host, which the card writes into ten times as fast."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import numpy as np

KIND = "pinned_host"


def can_be_pinned(array: jax.Array) -> bool:
    """Whether one device has all of an array, and writes into page-locked memory of the host."""
    return array.is_fully_replicated and all(_has_pinned(device) for device in array.devices())


@cache
def _has_pinned(device: Any) -> bool:
    return any(memory.kind == KIND for memory in device.addressable_memories())


def pinned_copies(arrays: Mapping[int, jax.Array]) -> dict[int, np.ndarray]:
    """Copies that no later step changes, of which all begin before they are waited for; read-only.

    Of an array that several devices have, one of them gives it. What NumPy shows is the memory that the device has
    written into, which XLA keeps for as long as NumPy's array is there. XLA gives none of it back to the system: it is
    there for the next copies.

    Args:
        arrays: For which `can_be_pinned` is true.

    Returns:
        By the same keys; nothing where the memory can't be had.

    Reference:
        `PyHostValue::AsNumPyArray` in jaxlib's py_array.cc; `IsOnCpu` of XLA's buffers, which is true of this memory.
    """
    parts = [array.addressable_data(0) for array in arrays.values()]
    try:
        copies = jax.device_put(parts, [part.sharding.with_memory_kind(KIND) for part in parts])
        jax.block_until_ready(copies)
    except RuntimeError:  # of JAX; what is wrong with the arrays themselves is told where they are copied otherwise
        return {}
    return {key: np.asarray(copy) for key, copy in zip(arrays, copies, strict=True)}
