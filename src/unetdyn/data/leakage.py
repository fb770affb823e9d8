"""Whether the parts of a split know each other: by sections, by groups, by images, by tiles."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from unetdyn._checks import check_count
from unetdyn.data.groups import Groups, group_names, shared_groups, suggest_groups
from unetdyn.data.same_images import same_images
from unetdyn.data.stack import Stack
from unetdyn.data.tiles import Tiles


@dataclass(frozen=True)
class Split:
    """The parts of a stack.

    Args:
        train: Sections to train on.
        validation: Sections to judge the training by while it runs.
        test: Sections that served no choice, neither of weights nor of settings, or `None`.
        sections: For each part its sections' indices in the stack they came from; empty where that is not known, as
            for parts read from folders of their own. Without them the gap cannot be checked.
        groups: For each part the group of each of its sections, where groups were given; else empty.
    """

    train: Stack
    validation: Stack
    test: Stack | None
    sections: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Stack]:
        """The parts that exist, by name."""
        parts = {"train": self.train, "validation": self.validation}
        return parts if self.test is None else {**parts, "test": self.test}


@dataclass(frozen=True)
class LeakageReport:
    """Leakage between the parts of a split: one sentence for each finding.

    Args:
        findings: The sentences; none where nothing was found.
        notes: What could not be checked and how it can be; `ok` does not depend on it.
    """

    findings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join((*(self.findings or ("No leakage found.",)), *self.notes))


def check_leakage(split: Split, gap: int = 1, groups: Groups | None = None) -> LeakageReport:
    """Look for sections or groups in two parts, parts that lie too close together, and images that are in two parts.

    An image also counts as the same where it was converted, scaled, inverted, turned by 90° or mirrored. Images of one
    colour, as at the ends of a stack, give nothing away and don't count.

    Args:
        split: The parts; without `sections` and `groups` only the images are compared.
        gap: How many sections must at least lie between two parts, default 1. With groups none is needed.
        groups: As in `split_by_section`; a list has one group for each section of the stack that was split. Default
            `None`: the groups that the split was made with, if any.

    Returns:
        A `LeakageReport`: `ok`, or a sentence for each finding; and a note where no groups are known, but names of two
        parts look like those of one patient.

    Raises:
        TypeError: Where `groups` is neither a pattern nor a mapping nor a list.
        ValueError: Where `gap` is negative, or a section has no group.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Split, Stack, check_leakage
        >>> images = np.array([[1, 2], [1, 2]], "uint8").reshape(2, 1, 2, 1)
        >>> part = Stack(images, np.zeros_like(images), ("a", "b"))
        >>> report = check_leakage(Split(part.take([0]), part.take([1]), None, {}))
        >>> report.ok, str(report)
        (False, "train 'a' and validation 'b' are the same image.")
    """
    grouped = _grouped(split, groups)
    note = "" if grouped else suggest_groups({part: stack.names for part, stack in split.parts.items()})
    findings = (*shared_or_near(split.sections, gap, grouped), *same_images(split.parts))
    return LeakageReport(findings, (note,) if note else ())


def check_tile_leakage(train: Tiles, validation: Tiles, groups: Groups | None = None) -> LeakageReport:
    r"""Look for sections, or groups, of which both sets hold tiles, as tiles drawn at random do.

    Args:
        train: Tiles to train on.
        validation: Tiles to judge by, from the same or another stack.
        groups: A pattern on the sections' names, such as `r"^(p\d+)_"`, or a mapping from names to groups; for a list
            pass `dict(zip(stack.names, groups))`. Default `None`: only sections are compared.

    Returns:
        A `LeakageReport`: `ok`, or one sentence for each shared section, and for each shared group; and a note as that
        of `check_leakage`.

    Raises:
        TypeError: Where `groups` is neither a pattern nor a mapping.
        ValueError: Where a section has no group.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, check_tile_leakage, tile
        >>> tiles = tile(Stack(np.zeros((1, 4, 4, 1), "uint8"), np.zeros((1, 4, 4, 1), "uint8"), ("a",)), size=2)
        >>> str(check_tile_leakage(tiles.take([0, 1, 2]), tiles.take([3])))
        "Section 'a' gives 3 tiles to train and 1 to validation."
    """
    if groups is not None and not isinstance(groups, str | Mapping):
        raise TypeError(
            "`groups` must be a pattern on the sections' names or a mapping from names to groups, because tiles may "
            f"be of any sections. Received: {type(groups).__name__}. Pass `dict(zip(stack.names, groups))`."
        )
    counts = {"train": _tiles_by_name(train), "validation": _tiles_by_name(validation)}
    findings = [
        f"Section {name!r} gives {count} tiles to train and {counts['validation'][name]} to validation."
        for name, count in counts["train"].items()
        if name in counts["validation"]
    ]
    if groups is None:
        note = suggest_groups({part: list(names) for part, names in counts.items()})
        return LeakageReport(tuple(findings), (note,) if note else ())
    findings += shared_groups({part: group_names(list(names), groups) for part, names in counts.items()})
    return LeakageReport(tuple(findings))


def shared_or_near(
    sections: Mapping[str, Sequence[int]], gap: int, groups: Mapping[str, Sequence[Hashable]]
) -> Iterable[str]:
    """What parts share, and where they lie too close; sections of different groups are no neighbours."""
    check_count("gap", gap, least=0, unit="sections")
    for (name, part), (other_name, other) in combinations(sections.items(), 2):
        shared = sorted(set(part) & set(other))
        if shared:
            yield f"{name} and {other_name} share the sections {', '.join(map(str, shared))}."
            continue
        apart, first, second = min((abs(a - b), a, b) for a in part for b in other)
        if apart - 1 < gap and not groups:
            yield (
                f"{name} section {first} and {other_name} section {second} have {apart - 1} sections between them, "
                f"fewer than the gap of {gap}."
            )
    yield from shared_groups(groups)


def _grouped(split: Split, groups: Groups | None) -> Mapping[str, tuple[Hashable, ...]]:
    """The group of each section of each part."""
    if groups is None:
        return split.groups
    if isinstance(groups, str | Mapping):
        return {part: group_names(stack.names, groups) for part, stack in split.parts.items()}
    if not split.sections:
        raise ValueError(
            "`groups` must be a pattern on names or a mapping from names to groups where the split does not know its "
            f"`sections`. Received: a {type(groups).__name__}. Pass `dict(zip(stack.names, groups))`."
        )
    used = 1 + max(index for own in split.sections.values() for index in own)
    received = len(groups) if hasattr(groups, "__len__") else 0
    labels = group_names([str(index) for index in range(max(used, received))], groups)
    return {part: tuple(labels[index] for index in own) for part, own in split.sections.items()}


def _tiles_by_name(tiles: Tiles) -> dict[str, int]:
    depth = tiles.extent[0]  # a tile in 3D has this many sections
    sections, counts = np.unique(tiles.section[:, np.newaxis] + np.arange(depth), return_counts=True)
    return {tiles.names[section]: int(count) for section, count in zip(sections, counts, strict=True)}
