"""A table as somebody else published it, with its source and with what is wrong in it."""

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from unetdyn._checks import unknown_choice

Cell = str | float | None


class Note(NamedTuple):
    """What is to be known about a table, or about some of its rows.

    Attributes:
        text: A sentence.
        rows: The first cells of the rows that it is about; empty for all of the table.
    """

    text: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuotedTable:
    """A table with its source, which shows itself as text, in a notebook and as Markdown.

    Attributes:
        title: What it is about.
        columns: Their names.
        rows: One cell a column: a text, a number, or None where the source has none. The first cell names the row.
        source: Where it is from.
        notes: What is wrong or easily misread in it.

    Example:
        >>> rows, note = (("cat", 4), ("mouse", 0.02)), Note("of one mouse", ("mouse",))
        >>> table = QuotedTable("Weights", ("animal", "kg"), rows, "a book", (note,))
        >>> print(table)
        Weights [a book]
        animal  kg
        cat     4
        mouse   0.02
        note: of one mouse
        >>> print(table.only("cat"))
        Weights [a book]
        animal  kg
        cat     4
        >>> table.column("kg")
        {'cat': 4, 'mouse': 0.02}
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    source: str
    notes: tuple[Note, ...] = ()

    def only(self, *names: str) -> "QuotedTable":
        """The rows of these names, and the notes that bear on them.

        Raises:
            ValueError: If no row has such a name.
        """
        known = [str(row[0]) for row in self.rows]
        for name in names:
            if name not in known:
                raise ValueError(unknown_choice("names", name, known))
        notes = tuple(note for note in self.notes if not note.rows or set(note.rows) & set(names))
        return replace(self, rows=tuple(row for row in self.rows if str(row[0]) in names), notes=notes)

    def column(self, name: str) -> dict[str, Cell]:
        """The cells of a column by the name of their row.

        Raises:
            ValueError: If there is no such column.
        """
        if name not in self.columns:
            raise ValueError(unknown_choice("name", name, self.columns))
        place = self.columns.index(name)
        return {str(row[0]): row[place] for row in self.rows}

    def __str__(self) -> str:
        lines = [self.columns, *self._texts()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join([f"{self.title} [{self.source}]", *shown, *(f"note: {note.text}" for note in self.notes)])

    def markdown(self) -> str:
        """The table and its notes in Markdown, without title and source."""
        lines = [self.columns, ["---"] * len(self.columns), *self._texts()]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([table, *(["\n".join(f"- {note.text}" for note in self.notes)] if self.notes else [])])

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in line) + "</tr>"
            for line in self._texts()
        )
        caption = f"<caption>{html.escape(f'{self.title} [{self.source}]')}</caption>"
        notes = "".join(f"<p>{html.escape(note.text)}</p>" for note in self.notes)
        return f"<table>{caption}<tr>{head}</tr>{body}</table>{notes}"

    def _texts(self) -> Iterator[list[str]]:
        for row in self.rows:
            yield ["" if cell is None else cell if isinstance(cell, str) else f"{cell:g}" for cell in row]
