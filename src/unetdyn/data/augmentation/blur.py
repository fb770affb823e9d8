"""Gaussian blur, along rows and then along columns, with a σ for each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

Tensor = Any


def blur_radius(most: float) -> int:
    """How many pixels a blur of this σ looks to either side: 4 σ, as `scipy.ndimage.gaussian_filter` does.

    Example:
        >>> blur_radius(1.0), blur_radius(0.3)
        (4, 2)
    """
    return int(np.ceil(4 * most))


def gaussian_weights(sigma: np.ndarray, most: float) -> np.ndarray:
    """What a pixel at each distance weighs.

    Args:
        sigma: Of each sample, pixels, `(batch,)`; 0 leaves a sample as it is.
        most: Largest σ that can come, which says how far weights go.

    Returns:
        `(batch, 1 + radius)`, for distances 0, 1, …; a line and its mirror image add up to 1.

    Example:
        >>> gaussian_weights(np.array([0.0, 0.5]), 0.5).round(3).tolist()
        [[1.0, 0.0, 0.0], [0.787, 0.106, 0.0]]
    """
    distances = np.arange(blur_radius(most) + 1)
    weights = np.exp(-0.5 * (distances / np.maximum(sigma, 1e-3)[:, None]) ** 2)
    return weights / (2 * weights.sum(axis=1, keepdims=True) - weights[:, :1])


def blurred(images: Tensor, weights: Tensor) -> Tensor:
    """Images with each pixel the mean of those around it; at the border the image is continued by its mirror image.

    Args:
        images: `(batch, height, width, channels)`, with both sides at least as long as the radius.
        weights: From `gaussian_weights`.
    """
    radius = weights.shape[1] - 1
    for axis in (1, 2):
        side = images.shape[axis]
        first, last = _cut(images, 0, radius, axis), _cut(images, side - radius, radius, axis)
        padded = ops.concatenate([ops.flip(first, axis=axis), images, ops.flip(last, axis=axis)], axis=axis)
        images = images * weights[:, 0][:, None, None, None]
        for distance in range(1, radius + 1):
            around = _cut(padded, radius - distance, side, axis) + _cut(padded, radius + distance, side, axis)
            images = images + around * weights[:, distance][:, None, None, None]
    return images


def _cut(array: Tensor, first: int, length: int, axis: int) -> Tensor:
    kept = slice(first, first + length)
    return array[:, kept] if axis == 1 else array[:, :, kept]
