"""A table of epochs in a file, as `keras.callbacks.CSVLogger` and others write it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.series import start_of_last_training, whole_epochs

_NOT_LOGGED = ("", "NA")  # CSVLogger writes NA where an epoch had no such value


def read_csv(path: Path) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Name → (epochs, values) of the last training in a file, row by row.

    Args:
        path: Of the file. The separator is that which its header has most of: comma, semicolon or tab. Without a
            column `epoch` or `Epoch` the rows are numbered from 0. Columns without a name, as pandas writes its index,
            and columns without a number are left out.

    Raises:
        ValueError: If it is not text, has no rows or no column of numbers, or a cell should be a number and is none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("epoch;loss;val_loss\\n0;0.9;NA\\n1;0.5;0.6\\n")
        >>> read_csv(path)["val_loss"]
        (array([1]), array([0.6]))
    """
    header, rows = _rows(path)
    epochs = _epochs(path, header, rows)
    start = start_of_last_training(epochs, path.name)
    curves = {}
    for column, name in enumerate(header):
        cells = [(at, row[column]) for at, row in enumerate(rows) if at >= start and column < len(row)]
        logged = [(at, cell) for at, cell in cells if cell not in _NOT_LOGGED]
        if not name or _is_epoch(name) or not any(_is_number(cell) for _, cell in logged):
            continue  # a column of lists or words is no curve
        values = [_number(path, f"{name} in the row of epoch {epochs[at]}", cell) for at, cell in logged]
        curves[name] = (epochs[[at for at, _ in logged]], np.array(values))
    if not curves:
        raise ValueError(
            f"{path} must hold a column of numbers with decimal points beside `epoch`, as CSVLogger writes. "
            f"It has none: {', '.join(header)[:80]}."
        )
    return curves


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, cell by cell."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # Excel puts a mark before the first name
            first = file.readline()
            separator = max(",;\t", key=first.count)  # CSVLogger has any the user likes
            file.seek(0)
            table = [row for row in csv.reader(file, delimiter=separator) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} must be a text file in UTF-8, as CSVLogger writes. It is not: {error}.") from error
    if len(table) < 2 or not first.strip():
        raise ValueError(f"{path} must hold a header and a row for each epoch, as CSVLogger writes. It has no rows.")
    return [name.strip() for name in table[0]], table[1:]


def _epochs(path: Path, header: list[str], rows: list[list[str]]) -> NDArray[np.int64]:
    column = next((at for at, name in enumerate(header) if _is_epoch(name)), None)
    if column is None:
        return np.arange(len(rows))
    cells = [row[column] if column < len(row) else "" for row in rows]
    numbers = [_number(path, f"epoch in row {at + 1}", cell or str(at)) for at, cell in enumerate(cells)]
    try:
        return whole_epochs(numbers)
    except ValueError as error:
        raise ValueError(f"{path} must number its epochs: {error}") from error


def _is_epoch(name: str) -> bool:
    return name.lower() == "epoch"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(path: Path, where: str, cell: str) -> float:
    if not _is_number(cell):
        raise ValueError(f"{path} must hold numbers. Received: {cell!r} as {where}.")
    return float(cell)
