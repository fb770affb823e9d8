"""From pages by name, in memory or on disk, to a `Stack`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.sources import LazyPage, classified, described, joined_pages
from unetdyn.data.stack import Stack

Rule = Callable[[np.ndarray, str], np.ndarray]

_NUMBERED = re.compile(r"(.*)\[\d+\]")


def assembled(
    images: Mapping[str, Any],
    masks: Mapping[str, Any],
    rule: Rule,
    weight: Callable[[np.ndarray], np.ndarray] | None,
    sources: Sequence[Path],
    axes: str | None = None,
) -> Stack:
    """The stack of these pages; on disk where they are.

    Args:
        images: By name, all of one size.
        masks: By the names of the images.
        rule: `rule(mask, name)` gives class indices.
        weight: `weight(mask)` gives which pixels have a label, or `None` where all have one.
        sources: The images' files, for the size of a voxel.
        axes: As in `read_stack`.
    """
    names = tuple(images)
    size, places = common_voxel_size(sources, axes), positions(names)
    pages, mask_pages = list(images.values()), [masks[name] for name in names]
    rules: list[Rule] = [rule] if weight is None else [rule, partial(_weighed, weight)]
    if isinstance(pages[0], LazyPage):
        found: list[Any] = [joined_pages(pages), *(classified(mask_pages, names, each) for each in rules)]
    else:
        of_masks = ([each(mask, name) for mask, name in zip(mask_pages, names, strict=True)] for each in rules)
        found = [np.stack(pages), *map(np.stack, of_masks)]
    return Stack(found[0], found[1], names, None if weight is None else found[2], size, places)


def _weighed(weight: Callable[[np.ndarray], np.ndarray], mask: np.ndarray, name: str) -> np.ndarray:
    del name
    return weight(mask)


def positions(names: Sequence[str]) -> tuple[int, ...]:
    """Places along z: pages of one file adjoin, and so do files of one page each in a folder; else there is a gap.

    >>> positions(["a", "b"]), positions(["p1[0]", "p1[1]", "p2[0]", "p2[1]"]), positions(["p1/a", "p1/b", "p2/a"])
    ((0, 1), (0, 1, 3, 4), (0, 1, 3))
    """
    found = [_NUMBERED.fullmatch(name) for name in names]
    volumes = [match[1] if match else name.rpartition("/")[:2] for match, name in zip(found, names, strict=True)]
    gaps = np.cumsum([0, *(before != after for before, after in pairwise(volumes))])
    return tuple(int(index + gap) for index, gap in enumerate(gaps))


def common_voxel_size(sources: Sequence[Path], axes: str | None = None) -> tuple[float, float, float] | None:
    """Of the first and the last file, where they agree: sections of a series have one, volumes may not."""
    found = {described(source, axes)[0] for source in (sources[0], sources[-1])}
    return found.pop() if len(found) == 1 else None
