"""Split a stack into training, validation and test parts, and check that nothing leaks from one into another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unetdyn._checks import check_count, check_fraction
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
    """

    train: Stack
    validation: Stack
    test: Stack | None
    sections: Mapping[str, tuple[int, ...]]

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
    """

    findings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        return "\n".join(self.findings) or "No leakage found."


def split_by_section(
    stack: Stack, train: Sections, validation: Sections, test: Sections | None = None, gap: int = 1
) -> Split:
    """Parts made of whole sections, with unused sections between them.

    Neighbouring sections of an EM stack show the same cells a few tens of nanometres further on, so tiles drawn at
    random, or parts without a gap, put almost the same picture on both sides.

    Args:
        stack: The sections in their order in the specimen.
        train: A tuple `(first, last)`, both included, or a list, range or array of section indices.
        validation: The same.
        test: The same, or `None` (default) for no test part.
        gap: How many sections must at least lie unused between two parts. Default 1; in the fly's nerve cord, 45 nm a
            section, neighbours' masks overlap at a Jaccard of 0.66.

    Returns:
        A `Split`.

    Raises:
        ValueError: Where a part is empty or names a section that does not exist, or `check_leakage` finds a section
            in two parts, fewer than `gap` sections between two parts, or the same image in two parts.

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
    # The indices first: a section in two parts would otherwise be reported as two equal images as well.
    _refuse(LeakageReport(tuple(_near(sections, gap))))
    parts = {name: stack.take(indices) for name, indices in sections.items()}
    split = Split(parts["train"], parts["validation"], parts.get("test"), sections)
    _refuse(check_leakage(split, gap))
    return split


def split_by_fraction(stack: Stack, validation: float = 0.2, test: float = 0.2, gap: int = 1) -> Split:
    """The first sections to train on, then a gap, validation, a gap, test: in the order of the specimen.

    Args:
        stack: The sections in their order in the specimen.
        validation: Fraction of the sections that are left after the gaps, rounded, at least one section.
        test: The same; 0 for no test part.
        gap: Unused sections between two parts, default 1.

    Returns:
        A `Split`.

    Raises:
        ValueError: Where a fraction is out of range, or too few sections are left to train on.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, split_by_fraction
        >>> images = np.arange(12, dtype="uint8").reshape(12, 1, 1, 1)
        >>> split = split_by_fraction(Stack(images, np.zeros_like(images), tuple("abcdefghijkl")))
        >>> split.sections["train"], split.sections["validation"], split.sections["test"]
        ((0, 1, 2, 3, 4, 5), (7, 8), (10, 11))
    """
    check_fraction("validation", validation)
    check_fraction("test", test, zero=True)
    check_count("gap", gap, least=0, unit="sections")
    if validation + test >= 1:
        raise ValueError(
            "`validation` and `test` must leave something to train on: their sum must lie below 1. "
            f"Received: validation={validation}, test={test}."
        )
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


def check_leakage(split: Split, gap: int = 1) -> LeakageReport:
    """Look for sections in two parts, parts that lie too close together, and images that are in two parts.

    Args:
        split: The parts; without `sections` only the images are compared.
        gap: How many sections must at least lie between two parts, default 1.

    Returns:
        A `LeakageReport`: `ok`, or a sentence for each finding.

    Raises:
        ValueError: Where `gap` is negative.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Split, Stack, check_leakage
        >>> images = np.zeros((2, 1, 1, 1), "uint8")
        >>> part = Stack(images, images, ("a", "b"))
        >>> report = check_leakage(Split(part.take([0]), part.take([1]), None, {}))
        >>> report.ok, str(report)
        (False, "train 'a' and validation 'b' are the same image.")
    """
    return LeakageReport((*_near(split.sections, gap), *_same_images(split.parts)))


def check_tile_leakage(train: Tiles, validation: Tiles) -> LeakageReport:
    """Look for sections of which both sets hold tiles, as tiles drawn at random do.

    Args:
        train: Tiles to train on.
        validation: Tiles to judge by, from the same or another stack.

    Returns:
        A `LeakageReport`: `ok`, or one sentence for each shared section.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, check_tile_leakage, tile
        >>> tiles = tile(Stack(np.zeros((1, 4, 4, 1), "uint8"), np.zeros((1, 4, 4, 1), "uint8"), ("a",)), size=2)
        >>> str(check_tile_leakage(tiles.take([0, 1, 2]), tiles.take([3])))
        "Section 'a' gives 3 tiles to train and 1 to validation."
    """
    counts = [_tiles_by_name(part) for part in (train, validation)]
    shared = [name for name in counts[0] if name in counts[1]]
    return LeakageReport(
        tuple(
            f"Section {name!r} gives {counts[0][name]} tiles to train and {counts[1][name]} to validation."
            for name in shared
        )
    )


def _tiles_by_name(tiles: Tiles) -> dict[str, int]:
    depth = tiles.extent[0]  # a tile in 3D has this many sections
    sections, counts = np.unique(tiles.section[:, np.newaxis] + np.arange(depth), return_counts=True)
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


def _near(sections: Mapping[str, Sequence[int]], gap: int) -> list[str]:
    check_count("gap", gap, least=0, unit="sections")
    findings = []
    for (name, part), (other_name, other) in combinations(sections.items(), 2):
        shared = sorted(set(part) & set(other))
        if shared:
            findings.append(f"{name} and {other_name} share the sections {', '.join(map(str, shared))}.")
            continue
        apart, first, second = min((abs(a - b), a, b) for a in part for b in other)
        if apart - 1 < gap:
            findings.append(
                f"{name} section {first} and {other_name} section {second} have {apart - 1} sections between them, "
                f"fewer than the gap of {gap}."
            )
    return findings


def _same_images(parts: Mapping[str, Stack]) -> list[str]:
    seen: dict[str, tuple[str, str]] = {}
    findings = []
    for part, stack in parts.items():
        for image, name in zip(stack.images, stack.names, strict=True):
            digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
            first_part, first_name = seen.setdefault(digest, (part, name))
            if first_part != part:
                findings.append(f"{first_part} {first_name!r} and {part} {name!r} are the same image.")
    return findings


def _refuse(report: LeakageReport) -> None:
    if not report.ok:
        raise ValueError(
            f"The parts of a split must not know each other. Received: {' '.join(report.findings)} "
            f"Leave sections unused between the parts, and each image in one part only."
        )
