"""Copies of a GPU's tensors in page-locked memory of the host, which the card writes into twenty times as fast."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch

from unetdyn.dynamics.backend.packing import packed


def can_be_pinned(tensor: Any) -> bool:
    """Whether something is a dense tensor on a GPU, of a type that NumPy has too."""
    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)  # others may be spread over devices
        and tensor.is_cuda
        and tensor.layout is torch.strided
        and numpy_dtype(tensor.dtype) is not None
    )


@cache
def numpy_dtype(dtype: torch.dtype) -> np.dtype | None:
    """The same type in NumPy, or in `ml_dtypes`, as bfloat16; None where there is none."""
    import ml_dtypes

    name = str(dtype).removeprefix("torch.")
    try:
        return np.dtype(getattr(ml_dtypes, name, name))
    except TypeError:
        return None


def pinned_copies(tensors: Mapping[int, torch.Tensor], pin: bool = True) -> dict[int, np.ndarray]:
    """Copies that no later step changes, of which all begin before they are waited for, in the order of their axes.

    PyTorch makes a power of two of each piece of such memory, so the tensors lie one behind another in few blocks. A
    block is there for as long as an array in it is; then PyTorch keeps it for the next copies.

    Args:
        tensors: For which `can_be_pinned` is true.
        pin: Whether the memory is page-locked, which takes a GPU.

    Returns:
        By the same keys; nothing where the memory can't be had.
    """
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors.values()]
    blocks, places = packed(sizes)
    try:
        memory = [torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=pin) for size in blocks]
    except RuntimeError:  # of PyTorch
        return {}
    found: dict[int, np.ndarray] = {}
    for (key, tensor), size, (block, first) in zip(tensors.items(), sizes, places, strict=True):
        part = memory[block][first : first + size]
        part.view(tensor.dtype).view(tensor.shape).copy_(tensor.detach(), non_blocking=True)
        found[key] = part.numpy().view(numpy_dtype(tensor.dtype)).reshape(tuple(tensor.shape))
    for device in {tensor.device for tensor in tensors.values()} - {torch.device("cpu")}:
        torch.cuda.current_stream(device).synchronize()
    return found
