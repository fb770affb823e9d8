"""JAX: compiled once for each shape and each set of draws; nothing is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from unetdyn.data.augmentation.geometry import gathered
from unetdyn.data.augmentation.transform import greyed, moved

Tensor = Any


def on_host() -> bool:
    """Whether JAX has no other device than the CPU."""
    return jax.default_backend() == "cpu"


def tensor(array: np.ndarray) -> Tensor:
    """On JAX' default device; `jax.numpy.asarray` would copy in any case."""
    return jax.device_put(array)


@jax.jit
def move(images: Tensor, masks: Tensor, exact: Mapping[str, Tensor], geometry: Mapping[str, Tensor]) -> Any:
    """`moved`, with displacements in float32: TensorFloat's 10 bits would be off by some hundredths of a pixel."""
    with jax.default_matmul_precision("float32"):
        return moved(images, masks, exact, geometry, _resampled)


grey = jax.jit(greyed)


def _resampled(images: Tensor, masks: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    # Places are within the image: `keras.ops.take` would look for indices that aren't.
    return gathered(images, masks, rows, columns, lambda lines, index: lines.at[index].get(mode="promise_in_bounds"))
