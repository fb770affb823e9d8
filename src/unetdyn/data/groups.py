"""Which sections belong together: those of one patient, animal or specimen, which no split may part."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from unetdyn._checks import nearest, plain
from unetdyn.data.files import EXTENSIONS, list_some
from unetdyn.data.formats.registry import DOUBLE

Groups = str | Mapping[str, Hashable] | Sequence[Hashable]


def read_groups(path: str | Path, column: str, names: str | None = None) -> dict[str, str]:
    """The group of each image from a table beside the images: one row an image, with its name and its group.

    Args:
        path: A `.csv` or `.tsv` file with a header; cells are separated by commas, semicolons or tabs.
        column: The column that holds the groups, such as `"patient"`.
        names: The column that holds the images' names, with or without extension. Default `None`: the first.

    Returns:
        The groups by the images' names without extension, to be passed as `groups`. Groups are texts, without blanks
        around them.

    Raises:
        FileNotFoundError: Where there is no such file.
        ValueError: Where it lacks a column, a row has no name or no group, or a name stands there with two groups.

    Example:
        >>> import tempfile, pathlib
        >>> from unetdyn.data import read_groups
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "patients.csv"
        ...     _ = path.write_text("file,patient\\na.png,7\\nb.png,7\\nc.png,8\\n")
        ...     read_groups(path, column="patient")
        {'a': '7', 'b': '7', 'c': '8'}
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"`path` must be a table of the images' groups. Received: path={str(path)!r}, which is no file."
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`path` must be a table in UTF-8. Received: path={str(path)!r} ({error}). Save it as CSV in UTF-8."
        ) from error
    separator = max(",;\t", key=(lines or [""])[0].count)
    header, *rows = csv.reader(lines, delimiter=separator) if lines else [[]]
    header = [cell.strip() for cell in header]
    for argument, wanted in (("column", column), ("names", names)):
        if wanted is not None and wanted not in header:
            raise ValueError(
                f"`{argument}` must be a column of {str(path)!r}: {', '.join(map(repr, header)) or 'it has none'}. "
                f"Received: {argument}={wanted!r}.{nearest(wanted, header)}"
            )
    of_name, of_group = (0 if names is None else header.index(names)), header.index(column)
    groups: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        name, group = (row[place].strip() if place < len(row) else "" for place in (of_name, of_group))
        if not name or not group:
            raise ValueError(
                f"Each row must have a name and a group. Received: line {number} of {str(path)!r} with "
                f"{header[of_name]}={name!r}, {header[of_group]}={group!r}. Fill it in, or remove that row."
            )
        if groups.setdefault(_plain(name), group) != group:
            raise ValueError(
                f"Each image must have one group. Received: {name!r} in line {number} of {str(path)!r} with the group "
                f"{group!r}, and before with {groups[_plain(name)]!r}."
            )
    return groups


def group_names(names: Sequence[str], groups: Groups) -> tuple[Hashable, ...]:
    """The group of each name, in their order.

    Args:
        names: The sections' names.
        groups: What `split_by_fraction` takes: a pattern, a mapping from names, or a list in the names' order.

    Raises:
        TypeError: Where `groups` is none of these.
        ValueError: Where a name has no group, or a list has another length.

    Example:
        >>> from unetdyn.data.groups import group_names
        >>> group_names(["p01_s1", "p01_s2", "p02_s1"], r"(p\\d+)_")
        ('p01', 'p01', 'p02')
    """
    if isinstance(groups, str):
        found: list[Hashable] = [_by_pattern(name, groups) for name in names]
        how = f"the pattern {groups!r}, which finds nothing in"
    elif isinstance(groups, Mapping):
        known = {_plain(name): group for name, group in groups.items()}
        found = [known.get(_plain(name), known.get(_plain(_file_of(name)))) for name in names]
        how = f"the groups of {len(known)} names ({list_some(list(known), most=3)}), without one for"
    else:
        found = _listed(groups, len(names))
        how = "a list without one for"
    without = [name for name, group in zip(names, found, strict=True) if _is_missing(group)]
    if without:
        raise ValueError(f"`groups` must give a group to each section. Received: {how} {list_some(without)}.")
    return tuple(found)


def stack_groups(names: Sequence[str], groups: Groups) -> tuple[Hashable, ...]:
    """As `group_names`, of all sections of a stack; a pattern that holds no two of them together is refused.

    It would find `003` where it should find `p01`, and take even the gap away that neighbours are kept apart by.
    """
    labels = group_names(names, groups)
    if isinstance(groups, str) and len(set(labels)) == len(names) > 1:
        raise ValueError(
            f"`groups` must find what sections have in common. Received: the pattern {groups!r}, with which each of "
            f"the {len(names)} sections is a group of its own, such as {labels[0]!r} and {labels[1]!r}. Change it; "
            f"where sections have nothing in common, leave `groups` out and pass `gap=0`."
        )
    return labels


def shared_groups(groups: Mapping[str, Iterable[Hashable]]) -> list[str]:
    """One sentence for each group that two parts have sections of.

    >>> shared_groups({"train": ["p1", "p1", "p2"], "validation": ["p2"]})
    ["Group 'p2' gives 1 sections to train and 1 to validation."]
    """
    listed = {part: list(of_part) for part, of_part in groups.items()}
    return [
        f"Group {group!r} gives {listed[first].count(group)} sections to {first} and {listed[second].count(group)} "
        f"to {second}."
        for first, second in combinations(listed, 2)
        for group in dict.fromkeys(listed[first])
        if group in listed[second]
    ]


def share_out(groups: Sequence[Hashable], targets: dict[str, float]) -> dict[str, tuple[int, ...]]:
    """The sections of each part, where whole groups go to each: the parts named first, then `train` with what is left.

    The sections of a part are as near to the target as whole groups allow. Of equal choices it is the smaller part,
    the fewer groups, and the later ones; so the first groups train.

    Args:
        groups: The group of each section.
        targets: How many sections each part should have, in the order in which parts are filled.

    Raises:
        ValueError: Where there are fewer groups than parts.
    """
    sizes = Counter(groups)
    if len(sizes) <= len(targets):
        raise ValueError(
            f"`groups` must have at least one group for each part: train, {', '.join(reversed(targets))}. "
            f"Received: {len(sizes)} groups, {list_some([str(group) for group in sizes])}."
        )
    part_of: dict[Hashable, str] = {}
    for place, (part, target) in enumerate(targets.items()):
        free = [group for group in reversed(sizes) if group not in part_of]
        most = len(free) - (len(targets) - place)
        part_of |= dict.fromkeys(_nearest_in_size(free, sizes, target, most), part)
    parts = [part_of.get(group, "train") for group in groups]
    return {part: tuple(i for i, own in enumerate(parts) if own == part) for part in ("train", *reversed(targets))}


def suggest_groups(parts: Mapping[str, Sequence[str]]) -> str:
    r"""A sentence where names of two parts share what may be a patient, such as `p01` in `p01_s003`; else nothing.

    >>> suggest_groups({"train": ["p01_s1", "p02_s1"], "validation": ["p02_s2"]}).split(": ")[1]
    "if 'p02' is one patient or specimen, pass `groups`, here r'^(.*)_s\\d+'."
    """
    names = [name for of_part in parts.values() for name in of_part]
    if len({_stem(name) for name in names} - {("", "")}) < 2:
        return ""
    stems = {part: {_stem(name): name for name in of_part} for part, of_part in parts.items()}
    for (first, of_first), (second, of_second) in combinations(stems.items(), 2):
        stem = next((stem for stem in of_first if stem in of_second and stem[0]), None)
        if stem is not None:
            pattern = rf"^(.*){re.escape(stem[1])}\d+"
            here = f", here r'{pattern}'" if all(re.search(pattern, name) for name in names) else ""
            return (
                f"Names of {first} and {second} begin alike, such as {of_first[stem]!r} and {of_second[stem]!r}: "
                f"if {stem[0]!r} is one patient or specimen, pass `groups`{here}."
            )
    return ""


def _stem(name: str) -> tuple[str, str]:
    """What stands before the last number, and what links the two: `p01` and `_s` of `p01_s003`, else nothing."""
    found = re.fullmatch(r"(.*\w)([_\-. /\[]+[^\W\d]*)\d+\]?", name)
    return (found[1], found[2]) if found else ("", "")


def _by_pattern(name: str, pattern: str) -> str | None:
    try:
        found = re.search(pattern, name)
    except re.error as error:
        raise ValueError(
            f"`groups` must be a regular expression such as r'^(p\\d+)_', or the groups themselves. "
            f"Received: groups={pattern!r} ({error})."
        ) from None
    if found is None:
        return None
    return "/".join(filter(None, found.groups())) if found.groups() else found[0]


def _is_missing(group: Hashable) -> bool:
    """None, an empty text, and what tables have for nothing: NaN, NaT and pandas' NA."""
    return group is None or type(group).__name__ == "NAType" or group == "" or bool(group != group)


def _listed(groups: Sequence[Hashable], sections: int) -> list[Hashable]:
    if not (isinstance(groups, Sequence) or hasattr(groups, "__array__")):
        raise TypeError(
            "`groups` must be a pattern on names, a mapping from names to groups, or a list with one for each section. "
            f"Received: {type(groups).__name__}."
        )
    listed = [plain(group) for group in groups]
    if len(listed) != sections:
        raise ValueError(
            f"`groups` must give a group to each of the {sections} sections. Received: {len(listed)} groups."
        )
    return listed


def _nearest_in_size(
    groups: list[Hashable], sizes: Mapping[Hashable, int], target: float, most: int
) -> tuple[Hashable, ...]:
    """Of 1 to `most` of these groups, those that together come nearest to the target: sums built up group by group."""
    limit = target + max(sizes.values())
    best: dict[int, tuple[Hashable, ...]] = {0: ()}
    for group in groups:
        for total, chosen in list(best.items()):
            new = total + sizes[group]
            fewest = len(best[new]) if new in best else most + 1
            if new <= limit and len(chosen) + 1 < fewest:
                best[new] = (*chosen, group)
    del best[0]
    return best[min(best, key=lambda total: (abs(total - target), total))]


def _file_of(name: str) -> str:
    """The file's name of a page: `a` for `a[3]`."""
    return re.sub(r"\[\d+\]$", "", name)


def _plain(name: object) -> str:
    """A name without extension, in one form of Unicode."""
    text = unicodedata.normalize("NFC", str(name).replace("\\", "/"))
    return next((text[: -len(ending)] for ending in (*DOUBLE, *EXTENSIONS) if text.lower().endswith(ending)), text)
