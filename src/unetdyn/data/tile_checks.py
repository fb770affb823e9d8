"""Whether tiles are what a training can use: their shapes, their grey values, their classes and their weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from unetdyn.data.lazy import LazyArray


def check_shapes(images: np.ndarray | LazyArray, masks: np.ndarray | LazyArray) -> None:
    """Refuse images and masks that don't fit, or hold no tile."""
    if images.ndim not in (4, 5) or masks.shape != (*images.shape[:-1], 1) or len(images) == 0:
        raise ValueError(
            "`images` must have shape (tiles, height, width, channels), or with depth before height, with at least one "
            "tile, and `masks` the same with 1 channel. "
            f"Received: images.shape={images.shape}, masks.shape={masks.shape}."
        )


def check_finite(images: np.ndarray, indices: Iterable[int]) -> None:
    """Refuse NaN and infinity; `indices` are the tiles' numbers, for the message."""
    bad = [index for index, image in zip(indices, images, strict=True) if not np.isfinite(image).all()]
    if bad:
        raise ValueError(
            f"`images` must be finite. Received: {len(bad)} of {len(images)} tiles with NaN or infinity, "
            f"the first at index {bad[0]}. Mend or leave out those tiles."
        )


def check_weights(weights: np.ndarray | LazyArray | None, masks: np.ndarray | LazyArray) -> None:
    """Refuse weights that can't be, or count nothing."""
    if weights is None:
        return
    if weights.shape != masks.shape:
        raise ValueError(
            f"`weights` must have the shape of `masks`. Received: weights.shape={weights.shape}, "
            f"masks.shape={masks.shape}."
        )
    if isinstance(weights, LazyArray):
        return  # 0 and 1, as `Stack` has them
    low, high = weights.min(), weights.max()
    if not (low >= 0 and np.isfinite(high) and high > 0):
        raise ValueError(
            "`weights` must be finite and at least 0, and above 0 somewhere. "
            f"Received: weights from {low:g} to {high:g}. 1 lets a pixel count, 0 leaves it out."
        )


def check_indices(masks: np.ndarray, classes: int) -> None:
    """Refuse masks of other values than class indices, and say what to do about them."""
    values = np.unique(masks)
    if np.isin(values, np.arange(max(classes, 2))).all():
        return
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", …" if len(values) > 6 else "")
    raise ValueError(
        f"With `classes={classes}`, `masks` must hold the class indices 0 to {max(classes, 2) - 1} only. "
        f"Received: masks with the values {shown}. {_advice(values, classes)}"
    )


def _advice(values: np.ndarray, classes: int) -> str:
    """What to do, as far as the values alone say it; `read_folder` asks the whole mask."""
    known = np.isin(values, np.arange(max(classes, 2)))
    other, whole = values[~known][0], np.array_equal(values, np.rint(values))
    if np.isnan(values).any():
        return "Mend the masks: NaN is no label."
    if classes == 1 and len(values) == 2 and values[0] == 0:
        return f"Divide them by {other:g}, or read the files by `read_folder`, which does."
    if values[0] == 1 and np.array_equal(values, np.arange(len(values)) + 1):
        return "They begin at 1, and 0 must mean background: subtract 1 if 1 is the background."
    if classes == 1 and np.array_equal(values, np.arange(len(values))):
        return (
            f"If they are class indices, pass `classes={len(values)}`; if they are the numbers of single objects, "
            "`masks > 0`."
        )
    if whole and (~known).sum() == 1:
        return (
            f"If {other:g} marks pixels without a label, pass `weights=(masks != {other:g})` and masks in which they "
            f"are 0, or read the files by `read_folder` with `ignore={other:g}`."
        )
    return "Convert them to the class index of each pixel, or ask `read_folder`, which says what its files look like."
