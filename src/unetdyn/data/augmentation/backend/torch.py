"""PyTorch: operation by operation, with its own resampling of images and masks; a GPU is not waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import torch
from torch.nn.functional import grid_sample

from unetdyn.data.augmentation.transform import greyed, moved

Tensor = Any

_IN_CACHE = 2**17  # numbers, 512 KB: with 1 MB a batch of 16 at 256² took 1.4 times as long


def on_host() -> bool:
    """Whether Keras computes on the CPU."""
    return _device().type == "cpu"


def tensor(array: np.ndarray) -> Tensor:
    """On the device that Keras computes on; `keras.ops.convert_to_tensor` would copy in any case."""
    # PyTorch warns of memory that it must not write into.
    return torch.from_numpy(np.require(array, requirements="W")).to(_device())


def move(
    images: Tensor, masks: Tensor, exact: Mapping[str, np.ndarray], geometry: Mapping[str, np.ndarray]
) -> tuple[Tensor, Tensor]:
    """`moved`."""
    with torch.no_grad():
        return moved(images, masks, _tensors(exact), _tensors(geometry), _resampled)


def grey(images: Tensor, greys: Mapping[str, np.ndarray]) -> Tensor:
    """`greyed`; on a CPU a few sections at a time, which stay in its cache from one operation to the next."""
    sections, drawn = images.reshape(-1, *images.shape[-3:]), _tensors(greys)
    at_once = max(1, _IN_CACHE // sections[0].numel()) if on_host() else len(sections)
    with torch.no_grad():
        parts = [
            greyed(sections[first : first + at_once], _of_sections(drawn, first, first + at_once))
            for first in range(0, len(sections), at_once)
        ]
        return torch.cat(parts).reshape(images.shape)


def _of_sections(drawn: Mapping[str, Tensor], first: int, end: int) -> dict[str, Tensor]:
    """Their lines of what has one for each section."""
    return {name: numbers[first:end] if numbers.ndim else numbers for name, numbers in drawn.items()}


def _device() -> torch.device:
    return keras.ops.convert_to_tensor(0.0).device


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: tensor(array) for name, array in arrays.items()}


def _resampled(images: Tensor, masks: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """As `gathered`; PyTorch counts from -1 to 1 between the outer edges, columns first, and continues as we do."""
    height, width = rows.shape[1:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)

    def sampled(array: Tensor, mode: str) -> Tensor:
        found = grid_sample(array.movedim(-1, 1), grid, mode, padding_mode="reflection", align_corners=False)
        return found.movedim(1, -1)

    return sampled(images, "bilinear"), sampled(masks, "nearest")
