"""Which parts of the validation images are looked at again and again, and how they become pictures."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.thresholds.flips import boundary_of
from unetdyn.runs.predictions import KINDS

FOREGROUND, BOUNDARY, HARDEST, RANDOM = KINDS
GREY_PERCENTILES = (0.5, 99.5)  # what is darker is black and what is brighter white: a few hot pixels hide nothing
GATE_SIDE = 64  # pixels: a gate's map is smooth, and a tile's picture is hardly larger


class Tile(NamedTuple):
    """A part of an image.

    Attributes:
        image: Which image.
        row: Its first row.
        column: Its first column.
        kind: Why it was chosen.
    """

    image: int
    row: int
    column: int
    kind: str


def corners(height: int, width: int, size: int) -> Iterator[tuple[int, int]]:
    """First row and column of each part of an image: as few as cover it, all of one size, evenly spread.

    >>> list(corners(8, 20, 10)), list(corners(8, 15, 10))
    ([(0, 0), (0, 10)], [(0, 0), (0, 5)])
    """
    for row in _starts(height, size):
        yield from ((row, column) for column in _starts(width, size))


def _starts(length: int, size: int) -> list[int]:
    count = -(-length // size)
    return [int(start) for start in np.linspace(0, max(0, length - size), count).round()]


def chosen_tiles(
    target: NDArray[np.bool_], probabilities: NDArray[np.float32], each: int, size: int, most: int, seed: int
) -> list[Tile]:
    """So many tiles of each kind: with most foreground, with most boundary, the hardest, and others by chance.

    A tile is hard where the mean of |p − y| over its pixels is large. No tile is chosen twice; where there are too few
    with any foreground, more come by chance.

    Args:
        target: `(images, height, width)`, the masks.
        probabilities: What the model predicts now.
        each: How many of each kind.
        size: Height and width at most.
        most: How many all in all.
        seed: Of the chance.

    Example:
        >>> y = np.zeros((3, 4, 4), dtype=bool)
        >>> y[1, :2] = True
        >>> [(tile.image, tile.kind) for tile in chosen_tiles(y, y * np.float32(1), 1, 4, 2, seed=0)]
        [(1, 'most foreground'), (0, 'hardest')]
    """
    places = [
        (image, *corner) for image in range(len(target)) for corner in corners(target.shape[1], target.shape[2], size)
    ]

    def sums(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.array([cut(values, *place, size).sum(dtype=np.float64) for place in places])

    kinds = {
        FOREGROUND: sums(target),
        BOUNDARY: sums(boundary_of(target)),
        HARDEST: sums(np.abs(probabilities - target)) + np.finfo(float).tiny,  # there is a hardest of perfect ones too
        RANDOM: np.random.default_rng(seed).random(len(places)),
    }
    found: dict[tuple[int, int, int], str] = {}
    for kind, scores in kinds.items():
        wanted = len(found) + each if kind != RANDOM else len(kinds) * each
        for place in np.argsort(-scores, kind="stable"):
            if len(found) < min(wanted, most) and scores[place] > 0:
                found.setdefault(places[place], kind)
    return [Tile(*place, kind) for place, kind in found.items()]


def cut(values: NDArray[Any], image: int, row: int, column: int, size: int) -> NDArray[Any]:
    """One part of one of several images."""
    return values[image, row : row + size, column : column + size]


def two_axes(values: NDArray[Any], axes: int) -> NDArray[Any]:
    """Of volumes the section in the middle, so that two axes of space are left.

    Args:
        values: `(images, ...)` with so many axes of space behind the first.
        axes: How many.
    """
    for _ in range(axes - 2):
        values = values[:, values.shape[1] // 2]
    return values


def as_images(x: NDArray[Any], space: tuple[int, ...]) -> NDArray[Any]:
    """Inputs as images, `(images, height, width, channels)`, with 1 channel or 3; black where they are no images.

    Args:
        x: `(images, ..., channels)`, or without channels.
        space: Of the masks.
    """
    if x.shape[1:] == space:
        x = x[..., None]
    if x.shape[1:-1] != space or not x.shape[-1]:
        x = np.zeros((len(x), *space, 1), dtype=np.float32)
    x = two_axes(x, len(space))
    return x if x.shape[-1] == 3 else x[..., :1]


def eight_bits(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Images in 256 levels of grey, or of each colour, from the darkest of all to the brightest.

    >>> eight_bits(np.array([[0.0, 1.0, 2.0, np.nan]])).tolist()
    [[0, 127, 255, 0]]
    """
    values = np.asarray(images, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, GREY_PERCENTILES) if finite.size else (0.0, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return (255 * np.clip(np.nan_to_num(scaled, nan=0.0), 0, 1)).astype(np.uint8)


def gate_pictures(maps: NDArray[Any], tiles: Sequence[Tile], whole: tuple[int, int], size: int) -> NDArray[np.float64]:
    """The parts of a gate's maps that belong to tiles, `(tiles, height, width)`, in 64 × 64 pixels at most.

    Args:
        maps: `(images, height, width)` in the resolution of the gate.
        tiles: Of which; the image of each is the number of its map.
        whole: Height and width of the images.
        size: Of the tiles.
    """
    lengths = [max(1, -(-min(size, full) * own // full)) for full, own in zip(whole, maps.shape[1:], strict=True)]
    factor = -(-max(lengths) // GATE_SIDE)
    found = []
    for tile in tiles:
        starts = [
            min(at * own // full, own - length)
            for at, own, full, length in zip(tile[1:3], maps.shape[1:], whole, lengths, strict=True)
        ]
        part = maps[tile.image, starts[0] : starts[0] + lengths[0], starts[1] : starts[1] + lengths[1]]
        found.append(coarser(part, factor))
    return np.stack(found)


def coarser(values: NDArray[Any], factor: int) -> NDArray[np.float64]:
    """The mean of each block of so many pixels along both axes; what is short of one at the ends is filled up.

    >>> coarser(np.array([[0.0, 2.0, 4.0], [0.0, 2.0, 4.0]]), 2).tolist()
    [[1.0, 4.0]]
    """
    values = np.pad(np.asarray(values, dtype=np.float64), [(0, -length % factor) for length in values.shape], "edge")
    height, width = values.shape
    return values.reshape(height // factor, factor, width // factor, factor).mean(axis=(1, 3))
