"""From the values in a mask file to class indices; what does not fit is refused."""

from __future__ import annotations

import numpy as np


def class_indices(mask: np.ndarray, name: str, classes: int = 1, threshold: float | None = None) -> np.ndarray:
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

    Returns:
        `uint8` array of shape `(height, width, 1)`.

    Raises:
        ValueError: Where the mask holds values that `classes` does not allow, or channels that differ.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data.masks import class_indices
        >>> eight_bit = np.array([[[0], [255]]], "uint8")
        >>> one_bit = np.array([[[0], [1]]], "uint8")
        >>> class_indices(eight_bit, "a").ravel().tolist(), class_indices(one_bit, "b").ravel().tolist()
        ([0, 1], [0, 1])
    """
    if not np.isfinite(mask).all():
        raise ValueError(f"A mask must be finite. Received: mask {name!r} with NaN or infinite values. Mend that file.")
    if (mask != mask[..., :1]).any():
        raise ValueError(
            f"A mask must have one channel, or several that are equal. Received: mask {name!r} with "
            f"{mask.shape[-1]} channels that differ. Save the class index of each pixel in a grey file."
        )
    mask = mask[..., :1]
    values = np.unique(mask)
    if classes == 1:
        return _binary(mask, values, name, threshold)
    if not np.isin(values, np.arange(classes)).all():
        raise ValueError(
            f"With `classes={classes}` a mask must hold the class indices 0 to {classes - 1} only. Received: mask "
            f"{name!r} with {_listed(values)}, the largest {values[-1]:g}. "
            f"{_advice(values)}"
        )
    return mask.astype(np.uint8)


def _binary(mask: np.ndarray, values: np.ndarray, name: str, threshold: float | None) -> np.ndarray:
    if np.count_nonzero(values) <= 1:
        return (mask != 0).astype(np.uint8)
    if threshold is not None:
        brightest = np.iinfo(mask.dtype).max if np.issubdtype(mask.dtype, np.integer) else 1.0
        return (mask > threshold * brightest).astype(np.uint8)
    raise ValueError(
        f"With `classes=1` a mask must hold 0 and one other value. Received: mask {name!r} with {_listed(values)}. "
        f"{_advice(values)}"
    )


def _listed(values: np.ndarray, most: int = 6) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:most])
    return f"{len(values)} value{'s' * (len(values) > 1)} ({shown}{', …' * (len(values) > most)})"


def _advice(values: np.ndarray) -> str:
    """What the values look like, and so what to do."""
    if len(values) == 2 and values[0] == 0:
        return "If this is a binary mask, pass `classes=1`."
    if np.array_equal(values, np.arange(len(values))):
        return f"If these are class indices, pass `classes={len(values)}`."
    return "If the edges are smoothed (scaling, JPEG), pass `classes=1` and `mask_threshold=0.5`, or save hard masks."
