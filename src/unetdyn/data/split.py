"""Split a stack into training, validation and test parts, and check that nothing leaks from one into another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from unetdyn._checks import check_count, check_fraction
from unetdyn.data.groups import Groups, group_names, share_out, shared_groups, suggest_groups
from unetdyn.data.same_images import same_images
from unetdyn.data.stack import Stack
from unetdyn.data.tiles import Tiles

Sections = tuple[int, int] | list[int] | range | np.ndarray


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


def split_by_section(
    stack: Stack,
    train: Sections,
    validation: Sections,
    test: Sections | None = None,
    gap: int = 1,
    groups: Groups | None = None,
) -> Split:
    r"""Parts made of whole sections, with unused sections between them.

    Neighbouring sections of an EM stack show the same cells a few tens of nanometres further on, so tiles drawn at
    random, or parts without a gap, put almost the same picture on both sides.

    Args:
        stack: The sections in their order in the specimen.
        train: A tuple `(first, last)`, both included, or a list, range or array of section indices.
        validation: The same.
        test: The same, or `None` (default) for no test part.
        gap: How many sections must at least lie unused between two parts. Default 1; in the fly's nerve cord, 45 nm a
            section, neighbours' masks overlap at a Jaccard of 0.66. With `groups` none is needed.
        groups: Which sections belong together, such as those of one patient, of which two parts must not both have
            some. A pattern on names, such as `r"^(p\d+)_"`, whose brackets (without brackets the whole of it) find the
            group; a mapping from names to groups, as `read_groups` makes it of a table; or a list with one group for
            each section of `stack`. Default `None`: all are of one specimen.

    Returns:
        A `Split`.

    Raises:
        TypeError: Where `groups` is none of these.
        ValueError: Where a part is empty or names a section that does not exist, a section has no group, or
            `check_leakage` finds a section in two parts, fewer than `gap` sections between two parts, a group in two
            parts, or the same image in two parts.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, split_by_section
        >>> images = np.arange(20, dtype="uint8").reshape(20, 1, 1, 1)
        >>> stack = Stack(images, np.zeros_like(images), tuple("abcdefghijklmnopqrst"))
        >>> split = split_by_section(stack, train=(0, 12), validation=(14, 15), test=(17, 19))
        >>> len(split.train), split.validation.names, split.sections["test"]
        (13, ('o', 'p'), (17, 18, 19))
    """
    asked = {"train": train, "validation": validation, **({} if test is None else {"test": test})}
    sections = {name: _indices(name, part, len(stack)) for name, part in asked.items()}
    labels = None if groups is None else group_names(stack.names, groups)
    grouped = {} if labels is None else {part: tuple(labels[i] for i in own) for part, own in sections.items()}
    # The indices first: a section in two parts would otherwise be reported as two equal images as well.
    _refuse(LeakageReport(tuple(_apart(sections, gap, grouped))))
    parts = {name: stack.take(indices) for name, indices in sections.items()}
    split = Split(parts["train"], parts["validation"], parts.get("test"), sections, grouped)
    _refuse(check_leakage(split, gap))
    return split


def split_by_fraction(
    stack: Stack, validation: float = 0.2, test: float = 0.2, gap: int = 1, groups: Groups | None = None
) -> Split:
    """The first sections to train on, then a gap, validation, a gap, test: in the order of the specimen.

    With `groups`, whole groups go to a part. The test part is filled first, then validation, each to as near its
    fraction as whole groups allow; of equal choices the smaller part, the fewer groups and the later ones. Nothing is
    drawn at random, and no section is left out.

    Args:
        stack: The sections in their order in the specimen.
        validation: Fraction of the sections that are left after the gaps, rounded, at least one section.
        test: The same; 0 for no test part.
        gap: Unused sections between two parts, default 1; with `groups` there is none.
        groups: As in `split_by_section`. Default `None`: all sections are of one specimen.

    Returns:
        A `Split`.

    Raises:
        TypeError: Where `groups` is neither a pattern nor a mapping nor a list.
        ValueError: Where a fraction is out of range, too few sections are left to train on, a section has no group, or
            there are fewer groups than parts.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, split_by_fraction
        >>> images = np.arange(12, dtype="uint8").reshape(12, 1, 1, 1)
        >>> split = split_by_fraction(Stack(images, np.zeros_like(images), tuple("abcdefghijkl")))
        >>> split.sections["train"], split.sections["validation"], split.sections["test"]
        ((0, 1, 2, 3, 4, 5), (7, 8), (10, 11))
        >>> stack = Stack(images[:4], np.zeros_like(images[:4]), ("p1_a", "p2_a", "p1_b", "p3_a"))
        >>> split_by_fraction(stack, groups="^p.").groups["train"]
        ('p1', 'p1')
    """
    check_fraction("validation", validation)
    check_fraction("test", test, zero=True)
    check_count("gap", gap, least=0, unit="sections")
    if validation + test >= 1:
        raise ValueError(
            "`validation` and `test` must leave something to train on: their sum must lie below 1. "
            f"Received: validation={validation}, test={test}."
        )
    if groups is not None:
        labels = group_names(stack.names, groups)
        shares = {"test": test, "validation": validation} if test else {"validation": validation}
        parts = share_out(labels, {part: share * len(stack) for part, share in shares.items()})
        own = {part: list(sections) for part, sections in parts.items()}
        return split_by_section(stack, own["train"], own["validation"], own.get("test"), gap, labels)
    usable = len(stack) - gap * (2 if test else 1)
    of_test = max(1, round(test * usable)) if test else 0
    of_validation = max(1, round(validation * usable))
    of_train = usable - of_validation - of_test
    if of_train < 1:
        raise ValueError(
            f"`stack` must leave at least one section to train on. Received: {len(stack)} sections, of which "
            f"{of_validation} would be validation, {of_test} test and {len(stack) - usable} gap. "
            f"Take smaller fractions, a smaller `gap`, or more sections."
        )
    first = of_train + gap
    last = first + of_validation
    tail = range(last + gap, len(stack)) if test else None
    return split_by_section(stack, range(of_train), range(first, last), tail, gap)


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
    findings = (*_apart(split.sections, gap, grouped), *same_images(split.parts))
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
    sections, counts = np.unique(tiles.section, return_counts=True)
    return {tiles.names[section]: int(count) for section, count in zip(sections, counts, strict=True)}


def _indices(name: str, part: Sections, sections: int) -> tuple[int, ...]:
    indices: Iterable[int] = range(part[0], part[1] + 1) if isinstance(part, tuple) and len(part) == 2 else part
    chosen = tuple(int(index) for index in indices)
    outside = [index for index in chosen if not 0 <= index < sections]
    if outside or not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"`{name}` must name sections from 0 to {sections - 1}, each once: a tuple (first, last), both included, "
            f"or a list of indices. Received: {name}={part!r}."
        )
    return chosen


def _apart(sections: Mapping[str, Sequence[int]], gap: int, groups: Mapping[str, Sequence[Hashable]]) -> Iterable[str]:
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


def _refuse(report: LeakageReport) -> None:
    if not report.ok:
        raise ValueError(
            f"The parts of a split must not know each other. Received: {' '.join(report.findings)} "
            f"Leave sections unused between the parts, and each group and each image in one part only."
        )
