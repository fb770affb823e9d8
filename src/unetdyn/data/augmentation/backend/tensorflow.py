"""TensorFlow: compiled by XLA, which is several times faster here than its own operations one by one, also on a CPU."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from unetdyn.data.augmentation.aligned import is_aligned
from unetdyn.data.augmentation.geometry import gathered
from unetdyn.data.augmentation.transform import greyed, moved

Tensor = Any

# Apple's GPUs have no XLA.
_XLA = not (platform.system() == "Darwin" and platform.machine() == "arm64")


def on_host() -> bool:
    """Whether TensorFlow has no GPU."""
    return not tf.config.list_logical_devices("GPU")


def tensor(array: np.ndarray) -> Tensor:
    """On TensorFlow's default device; `tf.constant` would copy in any case."""
    if on_host() and is_aligned(array):
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.convert_to_tensor(array)


def move(images: Tensor, masks: Tensor, exact: Mapping[str, Any], geometry: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """`moved`."""
    return _move(images, masks, *tf.nest.map_structure(tf.convert_to_tensor, (dict(exact), dict(geometry))))


def grey(images: Tensor, greys: Mapping[str, Any]) -> Tensor:
    """`greyed`."""
    return _grey(images, tf.nest.map_structure(tf.convert_to_tensor, dict(greys)))


def _compiled(function: Any) -> Any:
    return tf.function(function, jit_compile=_XLA, autograph=False)


@_compiled
def _move(images: Tensor, masks: Tensor, exact: Mapping[str, Tensor], geometry: Mapping[str, Tensor]) -> Any:
    return moved(images, masks, exact, geometry, _resampled)


_grey = _compiled(greyed)


def _resampled(images: Tensor, masks: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    return gathered(images, masks, rows, columns, tf.gather)
