"""What changes grey values and no mask, one after the other; gamma and cutout themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from unetdyn.data.augmentation.blur import blurred
from unetdyn.data.augmentation.noise import standard_normal

Tensor = Any


def with_greys(images: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Images blurred, then with another gamma, contrast and brightness, then with noise and a hole; what is drawn.

    Args:
        images: Float32, `(batch, height, width, channels)`.
        draws: The `greys` of `Draws`.
    """
    if "blur" in draws:
        images = blurred(images, draws["blur"])
    if "gamma" in draws:
        images = with_gamma(images, _each(draws["gamma"]))
    if "contrast" in draws:
        factor = _each(draws["contrast"])
        images = images * factor + _over_plane(ops.mean, images) * (1 - factor)
    if "brightness" in draws:
        images = images + _each(draws["brightness"])
    if "noise" in draws:
        images = images + draws["noise_deviation"] * standard_normal(tuple(images.shape), draws["noise"])
    if "cutout" in draws:
        images = with_hole(images, draws["cutout"])
    return images


def with_gamma(images: Tensor, gamma: Tensor) -> Tensor:
    """Images whose values, taken from their least to their largest as 0 to 1, are raised to a power.

    Args:
        images: `(batch, height, width, channels)`; each channel has a least and a largest value of its own.
        gamma: Above 0, of a shape that broadcasts.
    """
    low, high = _over_plane(ops.min, images), _over_plane(ops.max, images)
    span = high - low
    unit = (images - low) / ops.where(span > 0, span, 1.0)
    # Three times as fast as `ops.power` on a CPU; the logarithm of 0 is -∞, of which the exponential is 0 again.
    return low + span * ops.exp(gamma * ops.log(unit))


def with_hole(images: Tensor, boxes: Tensor) -> Tensor:
    """Images with a box in which every value is the mean of the image.

    Args:
        images: `(batch, height, width, channels)`; each channel has its own mean.
        boxes: Int32, `(batch, 4)`: first row and column, and those behind the last.
    """
    top, left, bottom, right = (_each(boxes[:, side]) for side in range(4))
    rows = ops.arange(images.shape[1], dtype="int32")[None, :, None, None]
    columns = ops.arange(images.shape[2], dtype="int32")[None, None, :, None]
    in_rows = ops.logical_and(rows >= top, rows < bottom)
    inside = ops.logical_and(in_rows, ops.logical_and(columns >= left, columns < right))
    return ops.where(inside, _over_plane(ops.mean, images), images)


def _each(drawn: Tensor) -> Tensor:
    """A number for each image, in a shape that broadcasts."""
    return drawn[:, None, None, None]


def _over_plane(reduce: Any, images: Tensor) -> Tensor:
    """Of each channel of each section; one axis after the other, which is faster."""
    return reduce(reduce(images, axis=1, keepdims=True), axis=2, keepdims=True)
