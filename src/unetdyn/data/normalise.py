"""Normalise grey levels: each image by itself, so that no statistics leak from one part of a split into another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import overload

import numpy as np

from unetdyn._checks import check_choice
from unetdyn.data.lazy import LazyArray
from unetdyn.data.stack import check_finite

_Statistics = tuple[np.ndarray, np.ndarray]
_SLAB = 2**20  # values of a section that are looked at at once: 8 MiB in float64


@overload
def normalise(images: np.ndarray, method: str = ...) -> np.ndarray: ...
@overload
def normalise(images: LazyArray, method: str = ...) -> LazyArray: ...
@overload
def normalise(images: np.ndarray | LazyArray, method: str = ...) -> np.ndarray | LazyArray: ...
def normalise(images: np.ndarray | LazyArray, method: str = "per_image") -> np.ndarray | LazyArray:
    r"""Images as `float32`, standardised per image and channel, or scaled to [0, 1] by the range of their dtype.

    \[ x' = \frac{x - \bar x}{s}, \qquad s^2 = \tfrac1n \sum (x - \bar x)^2 \]

    Args:
        images: Array of shape `(images, height, width, channels)`, finite. Normalise sections before tiling them:
            the statistics of a small tile depend on what happens to lie in it. Of a `LazyArray` a section is read
            through when a part of it is used for the first time, some rows at a time, and checked then.
        method: `"per_image"` (default): zero mean and unit variance (`ddof=0`) of each image and channel by itself,
            so that sections of different brightness and contrast become comparable and no part of a split sees
            another's statistics; a constant channel becomes 0. `"unit"`: divided by 255 (`uint8`) or 65535
            (`uint16`); floating point images must lie in [0, 1] already.

    Returns:
        `float32` array of the same shape; of a `LazyArray` another one, which normalises what is read.

    Raises:
        ValueError: Where `images` has another rank, holds NaN or infinity, `method` is unknown, or floating point
            images leave [0, 1] with `method="unit"`.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import normalise
        >>> image = np.array([[10, 20], [30, 40]], "uint8").reshape(1, 2, 2, 1)
        >>> [round(float(value), 3) for value in normalise(image).ravel()]
        [-1.342, -0.447, 0.447, 1.342]
    """
    check_choice("method", method, ("per_image", "unit"))
    if images.ndim != 4:
        raise ValueError(
            f"`images` must have shape (images, height, width, channels). Received: images.shape={images.shape}."
        )
    if isinstance(images, LazyArray):
        return _lazy(images, method)
    check_finite(images, [str(index) for index in range(len(images))])
    return _unit(images) if method == "unit" else _per_image(images)


def _lazy(images: LazyArray, method: str) -> LazyArray:
    @cache  # two numbers a channel for each section
    def statistics(index: int) -> _Statistics:
        return _streamed_statistics(images, index)

    def normalised(index: int, part: np.ndarray) -> np.ndarray:
        if method == "per_image":
            return _standardised(part, statistics(index))
        check_finite(part[np.newaxis], [str(index)])
        return _unit(part)

    return images.map(normalised, np.float32, images.shape[-1])


def _per_image(images: np.ndarray) -> np.ndarray:
    # Image by image: a stack in float64 would need eight times the memory of its 8-bit file.
    normalised = np.empty(images.shape, dtype=np.float32)
    for index, image in enumerate(images):
        normalised[index] = _standardised(image, _statistics(image))
    return normalised


def _statistics(image: np.ndarray) -> _Statistics:
    """Mean and deviation of each channel; an infinite deviation where it is constant, so that it becomes 0."""
    mean = image.mean(axis=(0, 1), dtype=np.float64)
    # A constant channel may leave a deviation of rounding errors: its range tells.
    constant = np.ptp(image, axis=(0, 1)) == 0
    return mean, np.where(constant, np.inf, (image - mean).std(axis=(0, 1)))


def _streamed_statistics(images: LazyArray, index: int) -> _Statistics:
    """The same of a section on disk, read twice, some rows at a time: it may be larger than memory."""
    _, height, width, channels = images.shape
    rows = max(1, _SLAB // (width * channels))
    blocks = [slice(first, min(first + rows, height)) for first in range(0, height, rows)]

    def parts() -> Iterator[np.ndarray]:
        for block in blocks:
            part = images[index, block]
            check_finite(part[np.newaxis], [str(index)])
            yield part

    if len(blocks) == 1:
        return _statistics(next(parts()))
    mean = sum(part.sum(axis=(0, 1), dtype=np.float64) for part in parts()) / (height * width)
    squares, low, high = np.zeros(channels), np.full(channels, np.inf), np.full(channels, -np.inf)
    for part in parts():
        squares += np.square(part - mean).sum(axis=(0, 1))
        low, high = np.minimum(low, part.min(axis=(0, 1))), np.maximum(high, part.max(axis=(0, 1)))
    return mean, np.where(low == high, np.inf, np.sqrt(squares / (height * width)))


def _standardised(image: np.ndarray, statistics: _Statistics) -> np.ndarray:
    mean, deviation = statistics
    return ((image - mean) / deviation).astype(np.float32)


def _unit(images: np.ndarray) -> np.ndarray:
    if np.issubdtype(images.dtype, np.integer):
        return images.astype(np.float32) / np.float32(np.iinfo(images.dtype).max)
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"With `method='unit'` floating point images must lie in [0, 1]. Received: images in [{low:g}, {high:g}]. "
            f"Use `method='per_image'`, or scale them first."
        )
    return images.astype(np.float32)
