"""The input of `threshold_curve` as single images, whatever it comes as; shapes only, no value is looked at."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def images_of(y_true: Any, p: ArrayLike | None) -> Iterator[tuple[NDArray, NDArray]]:
    """Labels and probabilities of one image after the other, as views where the input is an array.

    Args:
        y_true: Labels, or an iterable of `(y_true, p)` pairs.
        p: Probabilities; None where `y_true` gives the pairs. The first axis counts images where there are three or
            more, except in `(height, width, 1)`, which is one image, as is what has one or two axes.

    Raises:
        ValueError: If shapes differ, something is no array of numbers, or pairs are not pairs.

    Example:
        >>> [labels.shape for labels, _ in images_of(np.zeros((3, 4, 5)), np.zeros((3, 4, 5, 1)))]
        [(4, 5), (4, 5), (4, 5)]
        >>> pairs = [(np.zeros((4, 5)), np.zeros((4, 5))), (np.zeros((2, 4, 5)), np.zeros((2, 4, 5)))]
        >>> len(list(images_of(pairs, None)))
        3
    """
    for labels, probabilities in _pairs(y_true) if p is None else [(y_true, p)]:
        y, q = _fitting(real_numbers("y_true", labels), real_numbers("p", probabilities))
        if q.ndim >= 4 or (q.ndim == 3 and q.shape[-1] != 1):
            yield from zip(y, q, strict=True)
        else:
            yield y, q


def _pairs(source: Any) -> Iterator[tuple[ArrayLike, ArrayLike]]:
    if hasattr(source, "shape") or not isinstance(source, Iterable):
        what = f"shape {tuple(source.shape)}" if hasattr(source, "shape") else repr(source)
        raise ValueError(f"`p` is missing: give threshold_curve(y_true, p). Received: y_true of {what} alone.")
    for item in source:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise ValueError(
                "Without `p`, the first argument must give (y_true, p) pairs, one an image or a batch. "
                f"Received: an item of type {type(item).__name__}. Give arrays as threshold_curve(y_true, p)."
            )
        yield item[0], item[1]


def real_numbers(argument: str, value: ArrayLike) -> NDArray:
    """An array of numbers or truth values.

    Raises:
        ValueError: If it holds complex numbers, texts or objects.
    """
    array = np.asarray(value)
    if not np.can_cast(array.dtype, np.float32, "same_kind"):
        raise ValueError(f"`{argument}` must be an array of real numbers. Received: dtype {array.dtype}.")
    return array


def _fitting(y: NDArray, p: NDArray) -> tuple[NDArray, NDArray]:
    """Both with the shape of `p`; a last axis of one may be missing on either side."""
    if y.shape == (*p.shape, 1):
        return y[..., 0], p
    if p.shape == (*y.shape, 1):
        return y, p[..., 0]
    if y.shape != p.shape:
        raise ValueError(
            "`y_true` and `p` must have the same shape, such as (images, height, width, channels); a last axis of 1 "
            f"may be left out. Received: y_true.shape={y.shape}, p.shape={p.shape}. Resize, one-hot encode or reshape "
            "the labels to the model's output."
        )
    return y, p
