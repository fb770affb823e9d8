"""Arrays with one element a training step, grown by a chunk an epoch."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from unetdyn.runs.segments import joined_column

Column = NDArray[Any] | Mapping[str, NDArray[Any]]


class StepRecord:
    """Columns of equal length; a column is an array, or an array for each block.

    Args:
        **columns: The columns and their types, given as what there is before the first step: an empty array, or an
            empty mapping.

    Example:
        >>> import numpy as np
        >>> record = StepRecord(step=np.zeros(0, int), ratio={})
        >>> record.append(step=np.array([0, 1]), ratio={"enc1": np.array([0.5, 0.25])})
        >>> record.append(step=np.array([2]), ratio={"enc1": np.array([0.125]), "head": np.array([1.0])})
        >>> {name: [float(value) for value in values] for name, values in record.arrays["ratio"].items()}
        {'enc1': [0.5, 0.25, 0.125], 'head': [nan, nan, 1.0]}
    """

    def __init__(self, **columns: Column) -> None:
        self._chunks: list[dict[str, Column]] = [columns]
        self._lengths = [0]

    def __len__(self) -> int:
        return sum(self._lengths)

    def since(self, row: int) -> dict[str, Any]:
        """The columns from a row on, with the blocks that were there in one of these epochs.

        Args:
            row: Its number, from 0 to the length.
        """
        later = type(self)(**{name: _from(column, self._lengths[0]) for name, column in self._chunks[0].items()})
        for chunk, length in zip(self._chunks, self._lengths, strict=True):
            if row < length:
                later.append(**{name: _from(column, row) for name, column in chunk.items()})
            row = max(0, row - length)
        return later.arrays

    def append(self, **columns: Column) -> None:
        """Add the rows of an epoch: every column of the record, all of one length.

        Raises:
            ValueError: If columns are missing, unknown, or differ in length.
        """
        if columns.keys() != self._chunks[0].keys():
            raise ValueError(f"`columns` must be {', '.join(self._chunks[0])}. Received: {', '.join(columns)}.")
        lengths = {name: _lengths(column) for name, column in columns.items()}
        different = set().union(*lengths.values())
        if len(different) != 1:
            raise ValueError(f"`columns` must be of one length. Received: {lengths}.")
        self._chunks.append(columns)
        self._lengths.append(different.pop())

    @property
    def arrays(self) -> dict[str, Any]:
        """The whole columns. A block that was not there in some epochs, frozen perhaps, has NaN for their steps."""
        return {name: joined_column([chunk[name] for chunk in self._chunks], self._lengths) for name in self._chunks[0]}

    def get_state(self) -> dict[str, Any]:
        """The whole columns, as copies."""
        return {"length": len(self), "columns": self.arrays}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on behind these columns.

        Args:
            state: From `get_state` of a record with the same columns.
        """
        self._chunks, self._lengths = [dict(state["columns"])], [state["length"]]


def _from(column: Column, row: int) -> Column:
    if isinstance(column, Mapping):
        return {key: values[row:] for key, values in column.items()}
    return column[row:]


def _lengths(column: Column) -> set[int]:
    return {len(values) for values in (column.values() if isinstance(column, Mapping) else [column])}
