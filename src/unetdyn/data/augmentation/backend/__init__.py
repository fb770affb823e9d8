"""What differs from backend to backend, a file for each with the same functions: how a batch is compiled, resampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

import keras
import numpy as np

Tensor = Any
Arrays = Mapping[str, np.ndarray]


class Engine(Protocol):
    """The functions that each file has."""

    def on_host(self) -> bool:
        """Whether it computes on the CPU, where symmetries are faster by NumPy."""

    def tensor(self, array: np.ndarray) -> Tensor:
        """A float32 array on the device that trains, on the CPU in the array's own memory if that is `aligned`."""

    def move(self, images: Tensor, masks: Tensor, exact: Arrays, geometry: Arrays) -> tuple[Tensor, Tensor]:
        """`moved` of a batch, compiled."""

    def grey(self, images: Tensor, greys: Arrays) -> Tensor:
        """`greyed` of images, compiled."""


def engine() -> Engine:
    """The file of Keras' backend; only that framework is imported.

    Raises:
        ImportError: Where Keras has a backend that can't train.
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        from unetdyn.data.augmentation.backend import tensorflow as chosen
    elif name == "jax":
        from unetdyn.data.augmentation.backend import jax as chosen  # type: ignore[no-redef]
    elif name == "torch":
        from unetdyn.data.augmentation.backend import torch as chosen  # type: ignore[no-redef]
    else:
        raise ImportError(
            "`Augmentation` is for trainings on TensorFlow, JAX and PyTorch: set KERAS_BACKEND to one of tensorflow, "
            f"jax, torch before Keras is imported. Received: KERAS_BACKEND={name}."
        )
    return cast(Engine, chosen)
