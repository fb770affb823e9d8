"""Images that hold indices into a table of colours: whether the indices or the colours are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.refused import ambiguous
from unetdyn.data.transparency import without_alpha

_ADVICE = (
    "If the indices are the classes, save them without colours: with Pillow, "
    "`Image.fromarray(numpy.asarray(Image.open(path)))`. If the colours are the mask, save them as grey: "
    "`Image.open(path).convert('L')`."
)
_OF_ONE_COLOUR = "have one colour (transparent counts as black)"
_NEARLY_BLACK = 8


def palette_colours(indices: np.ndarray, table: np.ndarray, path: Path) -> np.ndarray:
    """What a viewer shows: colours of shape `(height, width, 3)`.

    Args:
        indices: Array of shape `(height, width)`.
        table: `uint8` array of shape `(entries, 4)`: red, green, blue, and 0 for transparent to 255 for opaque.
        path: The file, for messages.

    Returns:
        `uint8` array.

    Raises:
        RefusedFile: Where an index is beyond the table, or only the transparency of the colours differs.

    Example:
        >>> palette_colours(np.array([[1]]), np.array([[0, 0, 0, 255], [9, 8, 7, 255]], "uint8"), Path("a.png"))
        array([[[9, 8, 7]]], dtype=uint8)
    """
    shown = _looked_up(indices, table, path)
    return without_alpha(shown[..., :3], shown[..., 3], path, mask=False)


def palette_mask(indices: np.ndarray, table: np.ndarray, path: Path, chosen: bool = True) -> np.ndarray:
    """The indices of a mask where they can be classes, its grey values where those are meant.

    A palette is written by two kinds of programs. Annotation tools number the classes and give each a colour: the
    background is 0 and black, as in PASCAL VOC, or white, as from QuPath. Programs that make files smaller number the
    colours in any order: then an index says nothing, and 0 may well be white. The colours tell them apart:

    - All of the palette is grey: the grey values, whatever the order of the indices. But an even ramp from black to
      white over 3 or more indices from 0 is what classes are drawn with: the indices.
    - Colours that differ, none of those in use black except index 0 (or 255, a void): the indices.
    - Two, of which black is not the first: 255 where it is not black.
    - Only the transparency of those in use differs: the transparency.

    Args:
        indices: Array of shape `(height, width)`.
        table: `uint8` array of shape `(entries, 4)`, as in `palette_colours`. Transparent counts as black.
        path: The file, for messages.
        chosen: Whether whoever saved the file had the choice not to use a palette. False for a GIF or BMP, which have
            no other grey: an even ramp is then nothing but grey values. Default True.

    Returns:
        `uint8` or the indices' dtype, of shape `(height, width, 1)`.

    Raises:
        RefusedFile: Where the palette contradicts the indices and gives no other reading: two indices of one colour,
            black at another index than 0 beside more colours, a palette of one or two colours neither of which is black
            or a white 0, or the inverting table of ImageJ, in which 255 is black and may be object or background.

    Example:
        >>> table = np.array([[255, 255, 255, 255], [0, 0, 0, 255]], "uint8")  # 0 is white: sorted by frequency
        >>> palette_mask(np.array([[0, 0, 0, 1]]), table, Path("a.png")).ravel()
        array([255, 255, 255,   0], dtype=uint8)
        >>> table = np.array([[0, 0, 0, 255], [128, 0, 0, 255], [0, 128, 0, 255]], "uint8")  # PASCAL VOC
        >>> palette_mask(np.array([[0, 1, 2, 1]]), table, Path("a.png")).ravel()
        array([0, 1, 2, 1])
    """
    shown = _looked_up(indices, table, path)
    used = np.unique(indices)
    if len(np.unique(table[used, :3], axis=0)) == 1 and len(np.unique(table[used, 3])) > 1:
        return shown[..., 3:]
    colours = np.where(table[:, 3:] == 0, 0, table[:, :3])
    last = np.flatnonzero(colours.any(axis=1))
    different = np.unique(
        colours[: last[-1] + 1 if last.size else 0], axis=0
    )  # without the black that fills up a table
    if (different == different[:, :1]).all():
        return _grey_mask(indices, used, colours[:, 0], path, chosen)
    if len(np.unique(colours[used], axis=0)) < len(used):
        raise ambiguous(path, f"a palette mask in which two indices {_OF_ONE_COLOUR}", _ADVICE)
    black = used[colours[used].max(axis=1) <= _NEARLY_BLACK]
    if black.size and 0 not in black:
        if len(different) <= 2:
            return np.where(indices == black[0], 0, 255).astype(np.uint8)[..., np.newaxis]
        if black[0] != 255 or 0 not in used:
            raise ambiguous(path, f"a palette mask whose index {black[0]} is black, and 0 is not", _ADVICE)
    if 0 in used and not black.size and len(different) < 3 and (colours[0] < 255).any():
        first = tuple(int(value) for value in colours[0])
        raise ambiguous(path, f"a palette mask without black, whose index 0 has the colour {first}", _ADVICE)
    return indices[..., np.newaxis]


def _grey_mask(indices: np.ndarray, used: np.ndarray, greys: np.ndarray, path: Path, chosen: bool) -> np.ndarray:
    if len(used) > 1 and len(np.unique(greys[used])) == 1:
        raise ambiguous(path, f"a palette mask whose {len(used)} indices {_OF_ONE_COLOUR}", _ADVICE)
    if np.array_equal(greys, np.arange(255, -1, -1)):
        raise ambiguous(
            path,
            "a mask with the inverting palette of ImageJ, in which 255 is shown black",
            "In ImageJ choose Image > Lookup Tables > Invert LUT, see that what you want is white, and save it again.",
        )
    ramp = np.linspace(0, 255, len(used))
    if chosen and len(used) > 2 and (used == np.arange(len(used))).all() and (abs(greys[used] - ramp) <= 1).all():
        return indices[..., np.newaxis]
    return greys.astype(np.uint8)[indices][..., np.newaxis]


def _looked_up(indices: np.ndarray, table: np.ndarray, path: Path) -> np.ndarray:
    if indices.max() >= len(table):
        raise ambiguous(
            path,
            f"whose palette has {len(table)} colours, but an index is {indices.max()}",
            "Save it as grey or colour.",
        )
    return table[indices]
