"""Images that hold indices into a table of colours: whether the indices or the colours are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.refused import RefusedFile
from unetdyn.data.transparency import without_alpha

_ADVICE = (
    "If the indices are the classes, save them without colours: with Pillow, "
    "`Image.fromarray(numpy.asarray(Image.open(path)))`. If the colours are the mask, save them as grey: "
    "`Image.open(path).convert('L')`."
)
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

    A palette is written by two kinds of programs. Annotation tools number the classes and give each a colour: black to
    the background, which is 0, as PASCAL VOC does. Programs that make files smaller number the colours in any order:
    then an index says nothing, and 0 may well be white. The colours tell them apart, those that are in use:

    - All are grey: the grey values, whatever the order of the indices. But an even ramp from black to white over 3
      or more indices from 0 is what classes are drawn with: the indices.
    - Colours that differ, none of them black except index 0 (or 255, a void): the indices.
    - Two, of which black is not the first: 255 where it is not black.
    - Only their transparency differs: the transparency.

    Args:
        indices: Array of shape `(height, width)`.
        table: `uint8` array of shape `(entries, 4)`, as in `palette_colours`. Transparent counts as black.
        path: The file, for messages.
        chosen: Whether whoever saved the file had the choice not to use a palette. False for a GIF, which has no other
            form: an even ramp is then nothing but grey values. Default True.

    Returns:
        `uint8` or the indices' dtype, of shape `(height, width, 1)`.

    Raises:
        RefusedFile: Where the palette contradicts the indices and gives no other reading: two indices of one colour,
            black at another index than 0 beside more colours, one or two colours without black, or the inverting table
            of ImageJ, in which 255 is black and may be object as well as background.

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
    colours = np.where(table[used, 3:] == 0, 0, table[used, :3])
    if (colours == colours[:, :1]).all():
        return _grey_mask(indices, used, colours[:, 0], table, path, chosen)
    if len(np.unique(colours, axis=0)) < len(used):
        raise RefusedFile(
            path, "a palette mask in which two indices have one colour (transparent counts as black)", _ADVICE
        )
    dark = used[colours.max(axis=1) <= _NEARLY_BLACK]
    if dark.size and 0 not in dark and not (dark[0] == 255 and 0 in used):
        if len(used) == 2:
            return np.where(indices == dark[0], 0, 255).astype(np.uint8)[..., np.newaxis]
        raise RefusedFile(path, f"a palette mask whose index {dark[0]} is black, and 0 is not", _ADVICE)
    if 0 in used and not dark.size and len(_entries(table)) < 3:
        first = tuple(int(value) for value in table[0, :3])
        raise RefusedFile(path, f"a palette mask without black, whose index 0 has the colour {first}", _ADVICE)
    return indices[..., np.newaxis]


def _grey_mask(
    indices: np.ndarray, used: np.ndarray, greys: np.ndarray, table: np.ndarray, path: Path, chosen: bool
) -> np.ndarray:
    if len(used) > 1 and len(np.unique(greys)) == 1:
        raise RefusedFile(
            path, f"a palette mask whose {len(used)} indices have one colour (transparent counts as black)", _ADVICE
        )
    if len(table) == 256 and (table[:, :3] == 255 - np.arange(256)[:, np.newaxis]).all():
        raise RefusedFile(
            path,
            "a mask with the inverting palette of ImageJ, in which 255 is shown black",
            "In ImageJ choose Image > Lookup Tables > Invert LUT, see that what you want is white, and save it again.",
        )
    ramp = np.linspace(0, 255, len(used))
    if chosen and len(used) > 2 and (used == np.arange(len(used))).all() and (abs(greys - ramp) <= 1).all():
        return indices[..., np.newaxis]
    values = np.zeros(len(table), np.uint8)
    values[used] = greys
    return values[indices][..., np.newaxis]


def _looked_up(indices: np.ndarray, table: np.ndarray, path: Path) -> np.ndarray:
    if indices.max() >= len(table):
        raise RefusedFile(
            path,
            f"whose palette has {len(table)} colours, but an index is {indices.max()}",
            "Save it as grey or colour.",
        )
    return table[indices]


def _entries(table: np.ndarray) -> np.ndarray:
    """The colours of a table without the black that fills it up."""
    last = np.flatnonzero(table[:, :3].any(axis=1))
    return np.unique(table[: last[-1] + 1 if last.size else 0, :3], axis=0)
