"""From the depth of a file to the three dtypes that everything else works with, without losing what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.refused import ambiguous

# Rounding to float32 may move a value by this part of the image's range: finer than the steps of an 8-bit image.
ROUNDING = 1e-3
_EXACT = 2**24  # up to here float32 holds every whole number
_NOISE = 1e-12  # an image that varies less, relative to its values, is constant but for the rounding of float64


def standard_dtype(page: np.ndarray, path: Path, mask: bool, part: bool = False) -> np.ndarray:
    """The same values as `uint8`, `uint16` or `float32`; one bit stays a boolean.

    Args:
        page: Array of any real dtype.
        path: The file it comes from, for messages.
        mask: Whether its whole numbers are labels: those that differ must then stay different.
        part: Whether it is a window of an image, of which nobody can say whether the image loses its contrast.

    Returns:
        Array of the same shape.

    Raises:
        RefusedFile: Where `float32` cannot hold the values: labels above 2²⁴ that would become one, an image whose
            contrast would be rounded away, floats beyond its range, or complex numbers.

    Example:
        >>> standard_dtype(np.array([[-1, 7]], "int32"), Path("a.tif"), mask=False)
        array([[-1.,  7.]], dtype=float32)
        >>> standard_dtype(np.array([[2**24, 2**24 + 1]]), Path("a.tif"), mask=True)
        Traceback (most recent call last):
        unetdyn.data.refused.RefusedFile: `path` must be an image file that can be read in one way only. \
Received: path='a.tif', with int64 values from 16777216 to 16777217, which float32 cannot tell apart. \
Subtract the smallest value, or number the labels from 1, and save as 16 bits.
    """
    page = page.astype(page.dtype.newbyteorder("="), copy=False)
    if page.dtype in (np.bool_, np.uint8, np.uint16):
        return page
    if np.issubdtype(page.dtype, np.complexfloating):
        raise ambiguous(
            path, f"with complex values ({page.dtype})", "Save the magnitude or the phase as 32-bit floats."
        )
    with np.errstate(over="ignore"):
        rounded = page.astype(np.float32)
    if part or np.can_cast(page.dtype, np.float32):
        return rounded
    whole = np.issubdtype(page.dtype, np.integer) or (page == np.rint(page)).all()
    lost = _labels_merge(page, rounded) if mask and whole else _contrast_is_lost(page, rounded)
    if lost:
        least, most = page[np.isfinite(page)].min(), page[np.isfinite(page)].max()
        raise ambiguous(
            path,
            f"with {page.dtype} values from {least} to {most}, which float32 cannot tell apart",
            "Subtract the smallest value, or number the labels from 1, and save as 16 bits."
            if whole
            else "Subtract the smallest value, or rescale, and save as 32-bit floats.",
        )
    return rounded


def stretched(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Grey levels of 2 to 7 bits over the range of 8 bits, as every viewer shows them; all else as it is.

    So an 8-bit image of few levels that a program made smaller without loss comes back as it was. One bit stays.

    Args:
        pixels: `uint8` array of values below 2ᵇ, or any array of 1, 8 or more bits.
        bits: The file's own depth b.

    Returns:
        Array of the same shape and dtype.

    Example:
        >>> stretched(np.array([0, 1, 15], "uint8"), 4)
        array([  0,  17, 255], dtype=uint8)
    """
    if not 1 < bits < 8:
        return pixels
    return np.round(pixels * (255 / (2**bits - 1))).astype(np.uint8)


def _labels_merge(page: np.ndarray, rounded: np.ndarray) -> bool:
    return bool(abs(rounded).max() >= _EXACT) and len(np.unique(rounded)) < len(np.unique(page))


def _contrast_is_lost(page: np.ndarray, rounded: np.ndarray) -> bool:
    finite = np.isfinite(page)
    exact, kept = page[finite].astype(np.float64), rounded[finite].astype(np.float64)
    if not np.isfinite(kept).all():
        return True
    span, largest = np.ptp(exact) if exact.size else 0.0, abs(exact).max(initial=0.0)
    return bool(span > _NOISE * largest and abs(kept - exact).max(initial=0.0) > ROUNDING * span)
