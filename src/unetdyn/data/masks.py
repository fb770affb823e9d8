"""From the values in a mask file to class indices and weights; what does not fit is refused."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unetdyn._checks import check_choice, check_fraction, is_number
from unetdyn.data.lazy import LazyArray
from unetdyn.data.mask_values import advice, brightest, kind_of

Foreground = Literal["nonzero"]

_NO_GREYS = ("negative", "void", "from_one", "indices", "objects", "divided", "unscaled", "all_ones")
_NO_OBJECTS = ("negative", "smoothed", "mixed", "unscaled", "divided", "all_ones")


def class_indices(
    mask: np.ndarray,
    name: str,
    classes: int = 1,
    threshold: float | None = None,
    ignore: float | None = None,
    foreground: Foreground | None = None,
) -> np.ndarray:
    r"""The class indices of one mask file.

    With one class the file may hold 0 and *one* other value \(v\), whichever it is, and \(v\) means foreground:
    0/1 in a 1-bit file, 0/255 in an 8-bit and 0/65535 in a 16-bit file come out alike. Comparing every file with 127
    instead would empty the 1-bit ones without a word.

    Args:
        mask: Array of shape `(height, width, channels)` as read. Several channels must be equal (grey saved as RGB).
        name: The mask's name, for messages.
        classes: 1 for a binary mask; otherwise the number of classes with the background, and the file's values are
            the indices 0 … `classes - 1`.
        threshold: For a mask of more than two values with `classes=1`, such as one with smoothed edges: fraction of the
            dtype's range (1 for floats) above which a pixel is foreground, usually 0.5. Files with two values are not
            affected. Default `None`: such a mask is refused, because only its maker knows what the grey values mean.
        ignore: A value of pixels without a label, often 255 or -1; `counted` says which they are. Here they become 0.
            Default `None`: every pixel has one.
        foreground: `"nonzero"` makes foreground of every value above 0, as of the numbers of single objects
            (instances). Default `None`: one value alone.

    Returns:
        `uint8` array of shape `(height, width, 1)`.

    Raises:
        ValueError: Where the mask holds values that the arguments do not allow, or channels that differ; and where
            `threshold` leaves nothing or everything of a mask that is not of one value.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data.masks import class_indices
        >>> eight_bit = np.array([[[0], [255]]], "uint8")
        >>> one_bit = np.array([[[0], [1]]], "uint8")
        >>> class_indices(eight_bit, "a").ravel().tolist(), class_indices(one_bit, "b").ravel().tolist()
        ([0, 1], [0, 1])
        >>> objects = np.array([[[0], [1], [2], [255]]], "uint8")
        >>> class_indices(objects, "c", ignore=255, foreground="nonzero").ravel().tolist()
        [0, 1, 1, 0]
    """
    if not np.isfinite(mask).all():
        raise ValueError(f"A mask must be finite. Received: mask {name!r} with NaN or infinite values. Mend that file.")
    if (mask != mask[..., :1]).any():
        raise ValueError(
            f"A mask must have one channel, or several that are equal. Received: mask {name!r} with "
            f"{mask.shape[-1]} channels that differ. Save the class index of each pixel in a grey file."
        )
    mask = mask[..., :1]
    values = np.unique(mask if ignore is None else mask[mask != ignore])
    if ignore is not None:
        mask = np.where(mask == ignore, np.zeros((), mask.dtype), mask)
    if classes == 1:
        return _binary(mask, values, name, threshold, ignore, foreground)
    if not np.isin(values, np.arange(classes)).all():
        raise ValueError(
            f"With `classes={classes}` a mask must hold the class indices 0 to {classes - 1} only. Received: mask "
            f"{name!r} with {_listed(values)}, the largest {values[-1]:g}. "
            f"{advice(kind_of(mask, values), values, mask.dtype, classes, ignore)}"
        )
    return mask.astype(np.uint8)


def counted(mask: np.ndarray, ignore: float) -> np.ndarray:
    """Which pixels of a mask file have a label: 0 where it holds `ignore`, 1 elsewhere.

    Args:
        mask: Array of shape `(height, width, channels)` as read.
        ignore: The value of pixels without a label.

    Returns:
        `uint8` array of shape `(height, width, 1)`.

    Example:
        >>> import numpy as np
        >>> counted(np.array([[[0], [1], [255]]], "uint8"), ignore=255).ravel().tolist()
        [1, 1, 0]
    """
    return (mask[..., :1] != ignore).astype(np.uint8)


def check_mask_arguments(
    classes: int, mask_threshold: float | None, ignore: float | None, foreground: Foreground | None
) -> None:
    """Refuse arguments of `read_folder` that are out of range or do not go together."""
    check_choice("foreground", foreground, ("nonzero", None))
    if ignore is not None and not (is_number(ignore) and np.isfinite(ignore)):
        raise ValueError(
            f"`ignore` must be the value of pixels without a label, such as 255, or None. Received: ignore={ignore!r}."
        )
    if mask_threshold is not None:
        check_fraction("mask_threshold", mask_threshold, zero=True, otherwise="or None")
    given = {"mask_threshold": mask_threshold, "foreground": foreground}
    given = {argument: value for argument, value in given.items() if value is not None}
    if classes != 1 and given:
        argument, value = next(iter(given.items()))
        raise ValueError(
            f"`{argument}` must go with `classes=1`: it is for binary masks. "
            f"Received: {argument}={value!r}, classes={classes!r}. Leave one of them out."
        )
    if len(given) == 2:
        raise ValueError(
            "`mask_threshold` and `foreground` must not go together: one is for greys, the other for the numbers of "
            f"objects. Received: mask_threshold={mask_threshold!r}, foreground={foreground!r}. Leave one of them out."
        )


def refuse_unmarked(
    masks: np.ndarray | LazyArray, weights: np.ndarray | LazyArray | None, background: bool = True
) -> None:
    """Refuse masks from which nothing can be learned: of one class, or without any pixel that has a label.

    Args:
        masks: `uint8` array of shape `(masks, height, width, 1)` of class indices.
        weights: 0 where a pixel has no label, of the same shape; `None` where all have one.
        background: Whether masks that are all background are refused as well; a set without the object may be meant.

    Raises:
        ValueError: Saying how many masks, and what they all are.

    Example:
        >>> import numpy as np
        >>> refuse_unmarked(np.ones((2, 4, 4, 1), "uint8"), None)
        Traceback (most recent call last):
        ValueError: The masks must mark something, and leave something. Received: 2 masks, all foreground; check that...
    """
    least, most = _extremes(masks, weights)
    if most < 0:
        found = "without any pixel that has a label"
    elif least < most or (most == 0 and not background):
        return
    else:
        found = {0: "all background", 1: "all foreground"}.get(most, f"all of class {most}")
    ignored = "" if weights is None else ", and that `ignore` is not the value of an object or of the background"
    raise ValueError(
        f"The masks must mark something, and leave something. Received: {len(masks)} masks, {found}; "
        f"check that the masks are those of these images{ignored}."
    )


def _extremes(masks: np.ndarray | LazyArray, weights: np.ndarray | LazyArray | None) -> tuple[int, int]:
    """The smallest and largest class of pixels that have a label, of the masks up to where two differ; −1: none has."""
    if weights is None:
        return int(masks.min()), int(masks.max())
    found: set[int] = set()
    for mask, weight in zip(masks, weights, strict=True):
        labelled = mask[weight > 0]
        found |= {int(labelled.min()), int(labelled.max())} if labelled.size else set()
        if len(found) > 1:
            break
    return min(found, default=-1), max(found, default=-1)


def _binary(
    mask: np.ndarray,
    values: np.ndarray,
    name: str,
    threshold: float | None,
    ignore: float | None,
    foreground: Foreground | None,
) -> np.ndarray:
    if np.count_nonzero(values) <= 1 and (values >= 0).all():
        return (mask != 0).astype(np.uint8)
    kind = kind_of(mask, values)
    if foreground is not None and kind not in _NO_OBJECTS:
        return (mask != 0).astype(np.uint8)
    if threshold is None or kind in _NO_GREYS:
        expected = "With `classes=1` a mask must hold 0 and one other value."
        if foreground is not None:
            expected = "With `foreground='nonzero'` a mask must hold 0 and the numbers of objects."
        elif threshold is not None:
            expected = "With `mask_threshold` a mask must hold two values, or greys, as smoothed edges are."
        raise ValueError(
            f"{expected} Received: mask {name!r} with {_listed(values)}. "
            f"{advice(kind, values, mask.dtype, ignore=ignore)}"
        )
    above = mask > threshold * brightest(mask.dtype)
    if above.all() or not above.any():
        what = "Choose another fraction." if kind == "smoothed" else advice(kind, values, mask.dtype)
        raise ValueError(
            "`mask_threshold` must leave background and foreground in a mask of several values. Received: "
            f"mask_threshold={threshold:g}, {'below' if above.all() else 'above'} which there is nothing in mask "
            f"{name!r}, with {_listed(values)}, the largest {values[-1]:g} of {brightest(mask.dtype):g}. {what}"
        )
    return above.astype(np.uint8)


def _listed(values: np.ndarray, most: int = 6) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:most])
    return f"{len(values)} value{'s' * (len(values) > 1)} ({shown}{', …' * (len(values) > most)})"
