"""A table of pandas, polars or Arrow, none of which is imported for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unetdyn.analysis.log_names import is_axis, is_epoch
from unetdyn.analysis.log_table import Columns, curves_of_rows, rows_of_columns


def is_frame(source: Any) -> bool:
    """Whether it is a table with named columns.

    >>> is_frame({"loss": [0.5]}), is_frame([0.5])
    (False, False)
    """
    return not isinstance(source, Mapping) and hasattr(source, "columns") and hasattr(source, "__getitem__")


def read_frame(frame: Any, source: str = "history") -> Columns:
    """Name → (epochs, values) of the last training in a table.

    Such tables have NaN both for what was not logged and for what was no number. A column that has NaN between its
    numbers was not logged there; one that ends in more of them than it has between was no number in the end. One with
    nothing else was not logged, but for `loss`, which every training has: it never was a number.

    Args:
        frame: Of pandas, polars or Arrow; each row an epoch, or a part of one.
        source: What it is called in errors and warnings.

    Raises:
        ValueError: If two columns have one name, or none holds numbers.

    Example:
        >>> import pandas
        >>> read_frame(pandas.DataFrame({"loss": [0.9, 0.5], "val_loss": [None, 0.6]}))["val_loss"]
        (array([1]), array([0.6]))
    """
    names = list(getattr(frame, "column_names", frame.columns))
    index = getattr(frame, "index", None)
    columns = {str(name): _cells(frame[name], is_loss=name == "loss") for name in names}
    if len(columns) < len(names):
        raise ValueError(f"`{source}` must name each column once. Received: {', '.join(map(str, names))[:80]}.")
    if index is not None and isinstance(index.name, str) and is_epoch(index.name):
        columns[index.name] = _cells(index)
    curves = curves_of_rows(rows_of_columns({name: cells for name, cells in columns.items() if name}), source)
    if not curves:
        raise ValueError(
            f"`{source}` must hold columns of numbers. Received: {', '.join(columns)[:80] or 'no columns'}."
        )
    return {name: curve for name, curve in curves.items() if not is_axis(name)}


def _cells(column: Any, is_loss: bool = False) -> list[float | None]:
    """A column's numbers; None where nothing was logged, and everywhere in a column of words."""
    told = np.asarray(column, dtype=object).ravel() if np.ndim(column) < 2 else np.array([])
    values = list(map(_number, told))
    known = np.array([value is not None for value in values], dtype=bool)
    finite = np.flatnonzero(known)
    if not len(finite):
        return [np.nan if is_loss and isinstance(cell, float) else None for cell in told]
    between = np.diff(finite, prepend=-1) - 1
    ends = len(values) - 1 - finite[-1]
    return [*values[: finite[-1] + 1], *([np.nan if ends > max(between) else None] * ends)]


def _number(value: Any) -> float | None:
    if isinstance(value, str | bytes) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if np.isnan(number) else number
