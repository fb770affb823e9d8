"""A table of epochs in a text file, as `keras.callbacks.CSVLogger`, Lightning, trackers and spreadsheets write it."""

import csv
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from unetdyn.analysis.log_names import is_axis, is_epoch
from unetdyn.analysis.log_table import Columns, Row, curves_of_rows, rows_of_columns

_NOT_LOGGED = {"", "na", "n/a", "#n/a", "none", "null", "-"}  # CSVLogger writes NA where an epoch had no such value
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(e[-+]?\d+)?", re.I)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_VALUE, _KEYS = "value", ("key", "metric", "tag")  # of a table with one value a row
_RUNS = ("run", "run id", "run_id", "runid")
_OF_RUN = " - "  # between a run's name and a key's in the columns of W&B


class _Line(NamedTuple):
    number: int  # in the file, from 1
    cells: list[str]


class _Block(NamedTuple):
    """The lines below one header."""

    header: list[str]
    lines: list[_Line]


def read_csv(path: Path) -> Columns:
    """Name → (epochs, values) of the last training in a file.

    The separator is that which the header has most of: comma, semicolon or tab. Where it is no comma, numbers may have
    decimal commas. A line that repeats the header, or is another one, begins a new block. A last line without its line
    end was cut off when its writer was killed: it is left out, with a warning. Columns without a name, as pandas writes
    its index, and columns without a number are left out. What the rows become, `curves_of_rows` tells.

    Args:
        path: Of the file. UTF-8, or UTF-16 with its mark.

    Raises:
        ValueError: If it is no text, has no rows or no column of numbers, a line has not as many cells as its header,
            a name stands in a header twice, or a cell should be a number and is none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("epoch;loss;val_loss\\n0;0,9;NA\\n1;0,5;0,6\\n")
        >>> read_csv(path)["val_loss"]
        (array([1]), array([0.6]))
    """
    lines, separator = _lines(path)
    blocks = _blocks(path, lines)
    rows = [row for block in blocks for row in _rows(path, block, separator)]
    one_header = ", under the one header that there is" if len(blocks) == 1 else ""
    curves = curves_of_rows(rows, path.name, one_header)
    if not curves:
        raise ValueError(
            f"{path} must hold a column of numbers beside `epoch`, as CSVLogger writes. "
            f"It has none: {', '.join(blocks[0].header)[:80]}."
        )
    return curves


def _lines(path: Path) -> tuple[list[_Line], str]:
    """The lines, cell by cell, and their separator."""
    text = _text(path)
    separator = max(",;\t", key=text.lstrip().partition("\n")[0].count)  # CSVLogger has any the user likes
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        lines = [_Line(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ValueError(
            f"{path} must be a table of text, as CSVLogger writes. It is not: {error} in line {reader.line_num}."
        ) from error
    # A quote that is closed was written to its end: web pages export tables without a last line end.
    if len(lines) > 1 and not text.endswith(("\n", "\r", '"')):
        lines.pop()
        warnings.warn(
            f"{path.name}: its last line was not written to its end, for it has no line end, and is left out.",
            UserWarning,
            stacklevel=2,
        )
    return lines, separator


def _text(path: Path) -> str:
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"  # Excel puts a mark before the first name
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be a text file in UTF-8, as CSVLogger writes. It is not: {error}.") from error
    if "\0" in text:
        raise ValueError(f"{path} must be a text file in UTF-8, as CSVLogger writes. It is not: it holds zero bytes.")
    return text


def _blocks(path: Path, lines: Sequence[_Line]) -> list[_Block]:
    if not lines or (len(lines) == 1 and not lines[0].cells):
        raise ValueError(f"{path} must hold a header and a row for each epoch, as CSVLogger writes. It has no rows.")
    first = lines[0].cells
    if all(_is_number(cell) for cell in first):
        raise ValueError(
            f"{path} must begin with the names of its columns, as CSVLogger writes. Received: {', '.join(first)[:80]}; "
            "write epoch,loss,val_loss or what they are as a first line."
        )
    blocks: list[_Block] = []
    for line in lines:
        if not blocks or _is_header(line.cells, blocks[0].header):
            blocks.append(_Block(_checked_header(path, line), []))
            continue
        blocks[-1].lines.append(_checked_line(path, line, blocks[-1].header))
    if not any(block.lines for block in blocks):
        raise ValueError(f"{path} must hold a header and a row for each epoch, as CSVLogger writes. It has no rows.")
    return [block for block in blocks if block.lines]


def _is_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a line names columns: it has no number, and a name of the header at the top."""
    return not any(_is_number(cell) for cell in cells) and not {cell for cell in cells if cell}.isdisjoint(header)


def _checked_header(path: Path, line: _Line) -> list[str]:
    header = [name.lstrip("#").strip() for name in line.cells]
    twice = next((name for at, name in enumerate(header) if name and name in header[:at]), None)
    if twice is not None:
        raise ValueError(f"{path} must name each column once. Received: {twice!r} twice in line {line.number}.")
    named = [name for name in header if name and not is_axis(name)]
    if not named or not all(_OF_RUN in name for name in named):
        return header
    _check_one_run(path, {name.rpartition(_OF_RUN)[0] for name in named})
    return [name.rpartition(_OF_RUN)[2] for name in header]


def _check_one_run(path: Path, names: set[str]) -> None:
    if len(names) > 1:
        some = ", ".join(sorted(names)[:3])
        raise ValueError(f"{path} must hold one training. Received: {len(names)}, {some}; export each to its own file.")


def _checked_line(path: Path, line: _Line, header: Sequence[str]) -> _Line:
    cells = line.cells
    if len(cells) == len(header):
        return line
    while len(cells) > len(header) and not cells[-1]:
        cells = cells[:-1]  # a separator at the line's end
    if len(cells) != len(header):
        raise ValueError(
            f"{path} must have a cell for each name of its header in every row, as CSVLogger writes. Received: "
            f"{len(cells)} cells in line {line.number}, and {len(header)} names: {', '.join(header)[:80]}. Where a "
            "training with other columns was appended, begin that part with a header of its own."
        )
    return _Line(line.number, cells)


def _rows(path: Path, block: _Block, separator: str) -> list[Row]:
    comma = separator != "," and _has_decimal_commas(block)
    header, lines = block.header, block.lines
    columns: dict[str, list[float | None]] = {}
    for at, name in enumerate(header):
        cells = [line.cells[at].replace(",", ".") if comma else line.cells[at] for line in lines]
        logged = [cell for cell in cells if cell.lower() not in _NOT_LOGGED]
        if name and (is_epoch(name) or any(_is_number(cell) or _DECIMAL_COMMA.fullmatch(cell) for cell in logged)):
            columns[name] = [_cell(path, name, line, cell) for line, cell in zip(lines, cells, strict=True)]
        # a column of lists or words is no curve
    rows = rows_of_columns(columns)
    return _widened(path, block, rows) if rows and _VALUE in map(str.lower, header) else rows


def _widened(path: Path, block: _Block, rows: list[Row]) -> list[Row]:
    """Of a table with one value a row, as TensorBoard and MLflow export it, rows with that value under its name."""
    at = {name.lower(): place for place, name in enumerate(block.header)}
    value = block.header[at[_VALUE]]
    key = next((at[name] for name in _KEYS if name in at), None)
    if key is None and any(not is_axis(name) and name != value for row in rows for name in row):
        return rows  # somebody's column of this name
    for name in _RUNS:
        _check_one_run(path, {line.cells[at[name]] for line in block.lines if name in at})
    of_file = re.sub(r".*tag-", "", path.stem)
    return [
        {name: cell for name, cell in row.items() if is_axis(name)}
        | ({(of_file if key is None else line.cells[key]): row[value]} if value in row else {})
        for row, line in zip(rows, block.lines, strict=True)
    ]


def _has_decimal_commas(block: _Block) -> bool:
    cells = [cell for line in block.lines for cell in line.cells]
    return any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) and not any(
        "." in cell for cell in cells if _is_number(cell)
    )


def _cell(path: Path, name: str, line: _Line, cell: str) -> float | None:
    if cell.lower() in _NOT_LOGGED:
        return None
    if _is_number(cell):
        return float(cell)
    hint = "; write decimal points" if "," in cell else ""
    raise ValueError(f"{path} must hold numbers. Received: {cell!r} as {name} in line {line.number}{hint}.")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python's own way to group digits
