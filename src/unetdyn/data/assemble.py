"""From pages by name, in memory or on disk, to a `Stack`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.sources import LazyPage, classified, described, joined_pages
from unetdyn.data.stack import Stack

Page = np.ndarray | LazyPage
Rule = Callable[[np.ndarray, str], np.ndarray]

_NUMBERED = re.compile(r"(.*)\[\d+\]")


def assembled(images: Mapping[str, Any], masks: Mapping[str, Any], rule: Rule, sources: Sequence[Path]) -> Stack:
    """The stack of these pages; on disk where they are.

    Args:
        images: By name, all of one size.
        masks: By the names of the images.
        rule: `rule(mask, name)` gives class indices.
        sources: The images' files, for the size of a voxel.
    """
    names = tuple(images)
    size, places = common_voxel_size(sources), positions(names)
    pages, mask_pages = list(images.values()), [masks[name] for name in names]
    if isinstance(pages[0], LazyPage):
        return Stack(joined_pages(pages), classified(mask_pages, names, rule), names, size, places)
    indices = [rule(mask, name) for mask, name in zip(mask_pages, names, strict=True)]
    return Stack(np.stack(pages), np.stack(indices), names, size, places)


def positions(names: Sequence[str]) -> tuple[int, ...]:
    """Places along z: pages of one file adjoin, and so do files of one page each; from one volume to the next is a gap.

    >>> positions(["a", "b"]), positions(["p1[0]", "p1[1]", "p2[0]", "p2[1]"])
    ((0, 1), (0, 1, 3, 4))
    """
    found = [_NUMBERED.fullmatch(name) for name in names]
    volumes = [match and match[1] for match in found]
    gaps = np.cumsum([0, *(before != after for before, after in pairwise(volumes))])
    return tuple(int(index + gap) for index, gap in enumerate(gaps))


def common_voxel_size(sources: Sequence[Path]) -> tuple[float, float, float] | None:
    """Of the first and the last file, where they agree: sections of a series have one, volumes may not."""
    found = {described(source)[0] for source in (sources[0], sources[-1])}
    return found.pop() if len(found) == 1 else None
