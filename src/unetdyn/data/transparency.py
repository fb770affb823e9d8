"""Transparency beside the colours: where it carries the shape of a mask, and where it can be left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.refused import ambiguous

_ADVICE = (
    "Save the mask without transparency: with Pillow, `Image.open(path).getchannel('A')` if the transparency is its "
    "shape, or `Image.open(path).convert('RGB').convert('L')` if the colours are."
)


def without_alpha(colours: np.ndarray, alpha: np.ndarray, path: Path, mask: bool) -> np.ndarray:
    """The channels of an image or a mask without its transparency, or the transparency itself where that is the mask.

    Transparency is no measurement: in an image it is left out, whatever is behind it. In a mask it is left out where it
    is constant, and where it hides black only and is constant elsewhere. A mask of *one* colour whose transparency
    varies, as drawing programs export it, is its transparency.

    Args:
        colours: Array of shape `(height, width, channels)`.
        alpha: Array of shape `(height, width)`.
        path: The file, for messages.
        mask: Whether it is a mask.

    Returns:
        `colours`, or for such a mask `alpha` with shape `(height, width, 1)`.

    Raises:
        RefusedFile: Where an image has one colour and is drawn in its transparency alone, or where both the colours and
            the transparency of a mask vary, and differently.

    Example:
        >>> white = np.full((1, 2, 3), 255, "uint8")
        >>> without_alpha(white, np.array([[0, 255]], "uint8"), Path("a.png"), mask=True).ravel()
        array([  0, 255], dtype=uint8)
    """
    if (alpha == alpha.flat[0]).all():
        return colours
    if (colours == colours[:1, :1]).all():
        if mask:
            return alpha[..., np.newaxis]
        raise ambiguous(
            path,
            "an image of one colour that is drawn in its transparency",
            "Flatten it onto a background and save it without transparency.",
        )
    hidden = alpha == 0
    if mask and (colours[hidden].any() or (alpha[~hidden] != alpha.max()).any()):
        raise ambiguous(path, "a mask whose colours and transparency both vary, and differently", _ADVICE)
    return colours
