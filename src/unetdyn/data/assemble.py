"""From pages by name, in memory or on disk, to a `Stack`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.sources import LazyPage, Rule, classified, described, joined_pages
from unetdyn.data.stack import Stack

_NUMBERED = re.compile(r"(.*)\[\d+\]")


def assembled(
    images: Mapping[str, Any],
    masks: Mapping[str, Any],
    rules: Sequence[Rule],
    sources: Sequence[Path],
    axes: str | None = None,
) -> Stack:
    """The stack of these pages; on disk where they are.

    Args:
        images: By name, all of one size.
        masks: By the names of the images.
        rules: `rule(mask, name)` gives class indices; where not all pixels have a label, a second rule gives which.
        sources: The images' files, for the size of a voxel.
        axes: As in `read_stack`.
    """
    names = tuple(images)
    size, places = common_voxel_size(sources, axes), positions(names)
    pages, mask_pages = list(images.values()), [masks[name] for name in names]
    found: Sequence[Any]
    if isinstance(pages[0], LazyPage):
        joined: Any = joined_pages(pages)
        found = classified(mask_pages, names, rules)
    else:
        joined = np.stack(pages)
        found = [np.stack([rule(mask, name) for mask, name in zip(mask_pages, names, strict=True)]) for rule in rules]
    return Stack(joined, found[0], names, found[1] if len(found) > 1 else None, size, places)


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
