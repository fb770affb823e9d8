"""Small pictures of a few sections, eight bits a pixel, so that one sees what the scores are of."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.runs.predictions import LEVELS, quantised

SIDE = 256
"""Pixels of the longer side at most: of a larger section a pixel is the mean of a block."""

MOST = 4
"""Sections that are kept; with `SIDE` less than 2 MB before compression."""

NOT_COUNTED = 255
"""In a mask: a pixel without a label."""

_NAME = 200  # characters


@dataclass(frozen=True, eq=False)
class SectionPictures:
    """Sections below each other: image, mask and probability.

    Attributes:
        name: `(sections,)`.
        image: `(sections, height, width, channels)`, `uint8`, 1 channel or 3, from the darkest to the brightest.
        mask: `(sections, height, width)`, `uint8`: 0, 1, and 255 where nothing is counted.
        level: `(sections, height, width)`, `uint8`: probabilities, as `unetdyn.runs.predictions.quantised` has them.
        score: `(sections,)`: the Jaccard index of each whole section.
        shrunk: How many pixels of a section are one of these, along each side.
    """

    name: tuple[str, ...]
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    level: NDArray[np.uint8]
    score: NDArray[np.float64]
    shrunk: int = 1

    @property
    def probability(self) -> NDArray[np.floating]:
        """`(sections, height, width)`, within 1/512."""
        return (self.level.astype(np.float32) + 0.5) / LEVELS

    def arrays(self) -> dict[str, Any]:
        """What a file keeps."""
        numbers = {"image": self.image, "mask": self.mask, "level": self.level, "score": self.score}
        return {"name": np.array(self.name, dtype=np.str_), **numbers, "shrunk": np.array(self.shrunk)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> SectionPictures:
        """Of what `arrays` gave.

        Raises:
            ValueError: If it is something else; the text says what.
        """
        if missing := {"name", "image", "mask", "level", "score", "shrunk"} - arrays.keys():
            raise ValueError(f"it lacks {min(missing)!r}")
        kept = {key: np.asarray(arrays[key]) for key in ("name", "image", "mask", "level", "score", "shrunk")}
        shape = kept["image"].shape
        if len(shape) != 4 or shape[3] not in (1, 3) or kept["image"].dtype != np.uint8 or not all(shape[1:]):
            raise ValueError(f"`image` must be uint8 of (sections, height, width, 1 or 3). Received: {shape}")
        for key in ("mask", "level"):
            if kept[key].shape != shape[:3] or kept[key].dtype != np.uint8:
                raise ValueError(f"`{key}` must be uint8 of {shape[:3]}. Received: {kept[key].shape}")
        if kept["name"].shape != shape[:1] or kept["name"].dtype.kind != "U":
            raise ValueError("`name` must be a text for each section")
        if kept["score"].shape != shape[:1] or kept["score"].dtype.kind != "f":
            raise ValueError("`score` must be a number for each section")
        if kept["shrunk"].shape != () or kept["shrunk"].dtype.kind not in "iu" or kept["shrunk"] < 1:
            raise ValueError("`shrunk` must be a whole number, 1 or more")
        names = tuple(str(name)[:_NAME] for name in kept["name"])
        return cls(names, kept["image"], kept["mask"], kept["level"], kept["score"], int(kept["shrunk"]))


class WorstSections:
    """Keeps small pictures of those sections that score worst, whichever order they come in.

    Args:
        most: How many.

    Example:
        >>> worst, image = WorstSections(most=1), np.zeros((2, 2, 1))
        >>> for name, score in (("a", 0.9), ("b", 0.2), ("c", 0.5)):
        ...     worst.add(name, score, image, np.zeros((2, 2), bool), np.zeros((2, 2)))
        >>> worst.pictures().name
        ('b',)
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._number = most, 0
        self._kept: list[tuple[float, int, tuple[Any, ...]]] = []  # a heap: the best of them first

    def add(self, name: str, score: float, image: NDArray, mask: NDArray, probability: NDArray) -> None:
        """One more section; one without a score (NaN) is passed over.

        Args:
            name: Its name.
            score: Its Jaccard index.
            image: `(height, width, channels)`, any numbers.
            mask: `(height, width)`: 0, 1, and 255 where nothing is counted.
            probability: `(height, width)`, in [0, 1].
        """
        self._number += 1
        if np.isnan(score) or (len(self._kept) == self._most and -self._kept[0][0] <= score):
            return
        factor = shrinking(image.shape[:2])
        kept = (name, float(score), as_grey_levels(image, factor), _mask(mask, factor), _level(probability, factor))
        heapq.heappush(self._kept, (-score, -self._number, (*kept, factor)))
        if len(self._kept) > self._most:
            heapq.heappop(self._kept)

    def pictures(self) -> SectionPictures | None:
        """The worst first; None where no section has a score."""
        if not self._kept:
            return None
        worst = [kept for _, _, kept in sorted(self._kept, key=lambda each: (-each[0], -each[1]))]
        name, score, image, mask, level, factors = zip(*worst, strict=True)
        return SectionPictures(name, np.stack(image), np.stack(mask), np.stack(level), np.array(score), factors[0])


def shrinking(size: tuple[int, ...]) -> int:
    """How many pixels become one, along each side.

    >>> shrinking((256, 100)), shrinking((257, 100))
    (1, 2)
    """
    return max(1, -(-max(size) // SIDE))


def as_grey_levels(image: NDArray, factor: int = 1) -> NDArray[np.uint8]:
    """An image made smaller, from its first percentile (0) to its last (255); of other than 3 channels the first.

    Args:
        image: `(height, width, channels)`.
        factor: From `shrinking`.

    Example:
        >>> as_grey_levels(np.array([[[10.0], [20.0]]])).ravel().tolist()
        [0, 255]
    """
    chosen = image if image.shape[-1] == 3 else image[..., :1]
    small = np.stack([_means(chosen[..., c], factor) for c in range(chosen.shape[-1])], axis=-1)
    low, high = np.percentile(small, (1, 99))
    scaled = (small - low) / (high - low) if high > low else np.zeros_like(small)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def _mask(mask: NDArray, factor: int) -> NDArray[np.uint8]:
    """Object where it fills half of a block, and not counted where more than half of it isn't."""
    unseen = _means(mask == NOT_COUNTED, factor) > 0.5
    return np.where(unseen, NOT_COUNTED, _means(mask == 1, factor) >= 0.5).astype(np.uint8)


def _level(probability: NDArray, factor: int) -> NDArray[np.uint8]:
    return quantised(np.clip(_means(probability, factor), 0, 1))


def _means(array: NDArray, factor: int) -> NDArray[np.float64]:
    """Of blocks; what is left over at the lower and right end is left out, but of less than a block."""
    array = np.asarray(array, dtype=np.float64)
    if factor == 1:
        return array
    sides = [max(side // factor, 1) for side in array.shape]
    rows, columns = (min(factor, side) for side in array.shape)
    cut = array[: sides[0] * rows, : sides[1] * columns]
    return cut.reshape(sides[0], rows, sides[1], columns).mean(axis=(1, 3))
