"""What a page of many runs is made of: sections of sentences, tables and pictures, some of them folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from unetdyn.report.page.pictures import Picture


class TableRow(NamedTuple):
    """A row of a table.

    Attributes:
        head: What it is about.
        cells: Texts.
        level: `"good"`, `"watch"` or `"ill"`, for its colour; empty for none.
        href: Where the head leads to; empty for nowhere.
    """

    head: str
    cells: Sequence[str]
    level: str = ""
    href: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        label: What it is of.
        header: Names of the columns, that of the heads first.
        rows: One or more.
        numbers: Whether its cells are numbers, which are never broken, rather than sentences.
    """

    label: str
    header: Sequence[str]
    rows: Sequence[TableRow]
    numbers: bool = True

    kind = "table"


@dataclass(frozen=True)
class Grid:
    """Pictures and tables beside each other where there is room."""

    items: Sequence[Picture | Table]

    kind = "grid"


@dataclass(frozen=True)
class Folded:
    """Parts that are shown when asked for, with how many things are in them."""

    title: str
    count: int
    parts: Sequence[Table | Grid]

    kind = "folded"


def percent(share: float) -> str:
    """A share, as it stands in a sentence or table.

    >>> percent(0.954)
    '95 %'
    """
    return f"{100 * share:.0f} %"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["architecture", "learning rate", "batch size"])
    'architecture, learning rate and batch size'
    """
    return ", ".join(names[:-1]) + (" and " if names[1:] else "") + "".join(names[-1:])


def sentence(text: str) -> str:
    """A text with a capital and a stop.

    >>> sentence("read p of F: nothing speaks against it")
    'Read p of F: nothing speaks against it.'
    """
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        anchor: Its id.
        title: Its heading.
        sentences: What it says.
        parts: Tables and pictures.
        notes: What to mind, in small letters below.
        prominent: Whether its first sentence is what the page is read for.
    """

    anchor: str
    title: str
    sentences: Sequence[str] = ()
    parts: Sequence[Table | Grid | Folded] = ()
    notes: Sequence[str] = field(default=())
    prominent: bool = False
