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
    """`greyed`."""
    with torch.no_grad():
        return greyed(images, _tensors(greys))


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
