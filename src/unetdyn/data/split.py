"""Split a stack into training, validation and test parts, of which none knows another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from unetdyn._checks import check_count, check_fraction
from unetdyn.data.groups import Groups, share_out, stack_groups
from unetdyn.data.leakage import LeakageReport, Split, check_leakage, shared_or_near
from unetdyn.data.stack import Stack

Sections = tuple[int, int] | list[int] | range | np.ndarray


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
            each section of `stack`. Sections of two groups don't adjoin (`Stack.position`). Default `None`: all are of
            one specimen.

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
    labels = None if groups is None else stack_groups(stack.names, groups)
    grouped = {} if labels is None else {part: tuple(labels[i] for i in own) for part, own in sections.items()}
    # The indices first: a section in two parts would otherwise be reported as two equal images as well.
    _refuse(LeakageReport(tuple(shared_or_near(sections, gap, grouped))))
    apart = stack if labels is None else _with_groups_apart(stack, labels)
    parts = {name: apart.take(indices) for name, indices in sections.items()}
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
        labels = stack_groups(stack.names, groups)
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


def _with_groups_apart(stack: Stack, groups: Sequence[Hashable]) -> Stack:
    """Sections of two groups don't adjoin, also where all lie in one folder: no tile in 3D reaches over both."""
    gap = max(stack.places) - min(stack.places) + 2
    gaps = np.cumsum([0, *(before != after for before, after in pairwise(groups))]) * gap
    return replace(stack, position=tuple(int(place + more) for place, more in zip(stack.places, gaps, strict=True)))


def _refuse(report: LeakageReport) -> None:
    if not report.ok:
        raise ValueError(
            f"The parts of a split must not know each other. Received: {' '.join(report.findings)} "
            f"Leave sections unused between the parts, and each group and each image in one part only."
        )
