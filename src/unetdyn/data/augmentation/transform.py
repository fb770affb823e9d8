"""A batch and its draws in, the augmented batch out: two pure functions on `keras.ops`, which a backend compiles.

They are compiled one by one: put into one kernel, XLA resamples a pixel anew for each of those around it that a blur
looks at, which on a CPU takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from unetdyn.data.augmentation.elastic import displacements
from unetdyn.data.augmentation.geometry import places
from unetdyn.data.augmentation.grey import with_greys
from unetdyn.data.augmentation.symmetries import turned

Tensor = Any
Resample = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def moved(
    images: Tensor, masks: Tensor, exact: Mapping[str, Tensor], geometry: Mapping[str, Tensor], resample: Resample
) -> tuple[Tensor, Tensor]:
    """Symmetries, then one resampling; of each what was drawn.

    Args:
        images: Float32, `(batch, height, width, channels)`, or with depth before height.
        masks: The same with channels of their own.
        exact: As in `Draws`.
        geometry: As in `Draws`; with `elastic` also `elastic_rows` and `elastic_columns`, from `spline_basis`.
        resample: From images, masks, rows and columns to images and masks.

    Returns:
        Images and masks in their shapes.
    """
    images, masks = turned(images, exact), turned(masks, exact)
    if "matrix" not in geometry:
        return images, masks
    shapes = tuple(images.shape), tuple(masks.shape)
    images, masks = _sections(images), _sections(masks)
    field = None
    if "elastic" in geometry:
        field = displacements(geometry["elastic"], geometry["elastic_rows"], geometry["elastic_columns"])
    images, masks = resample(images, masks, *places(geometry["matrix"], field, *images.shape[1:3]))
    return ops.reshape(images, shapes[0]), ops.reshape(masks, shapes[1])


def greyed(images: Tensor, greys: Mapping[str, Tensor]) -> Tensor:
    """Images with other grey values.

    Args:
        images: As in `moved`.
        greys: As in `Draws`.
    """
    return ops.reshape(with_greys(_sections(images), greys), tuple(images.shape))


def _sections(tiles: Tensor) -> Tensor:
    """Those of all tiles, one after the other."""
    return ops.reshape(tiles, (-1, *tiles.shape[-3:]))
