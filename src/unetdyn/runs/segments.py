"""A record that only grows, in files of some of its rows each: an epoch writes its own rows, and rarely more.

`dynamics/NAME/FIRST-END.npz` has the rows from FIRST to END, without END; `dynamics/NAME.npz` those from 0, if it is
there. Of files that begin at one row the longest counts, and of others nothing that it holds already. So a file that
joins several takes their place as soon as it has its name, and a kill before they are removed leaves nothing twice.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.runs.atomic import replacing, sync_folder
from unetdyn.runs.nesting import SEPARATOR, flatten
from unetdyn.runs.records import RunError, read_arrays

Arrays = dict[str, Any]
_NAME = re.compile(r"(\d{1,15})-(\d{1,15})\.npz")


def rows_of(arrays: Mapping[str, Any]) -> int:
    """How many rows arrays have. Those without an axis hold for all rows, and so count none.

    Raises:
        ValueError: If they differ.

    Example:
        >>> rows_of({"step": np.arange(3), "ratio": {"enc1": np.zeros(3)}, "limit": np.array(0.5)})
        3
    """
    flat = flatten(arrays)
    lengths = {name: len(array) for name, array in flat.items() if array.ndim and not name.endswith(SEPARATOR)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Arrays of a record that grows must be of one length. Received: {lengths}.")
    return next(iter(lengths.values()), 0)


def joined(parts: Sequence[Arrays]) -> Arrays:
    """One record of several that follow each other; what is in dictionaries and was not there has NaN.

    Args:
        parts: At least one, with the same names; of what has no axis the last counts.

    Raises:
        ValueError: If the names differ, or the lengths in a part.

    Example:
        >>> parts = [{"step": np.array([0]), "ratio": {}}, {"step": np.array([1]), "ratio": {"enc1": np.array([0.5])}}]
        >>> joined(parts)["ratio"]["enc1"].tolist()
        [nan, 0.5]
    """
    if len(parts) == 1:
        return dict(parts[0])
    names = {frozenset(part) for part in parts}
    if len(names) > 1:
        raise ValueError(f"its parts hold different arrays: {sorted(set.union(*map(set, names)))}")
    lengths = [rows_of(part) for part in parts]
    return {name: joined_column([part[name] for part in parts], lengths) for name in parts[-1]}


def joined_column(parts: Sequence[Any], lengths: Sequence[int]) -> Any:
    """One column of several parts that follow each other.

    Args:
        parts: Arrays, or dictionaries of arrays; what was not there in some of these has NaN for their rows.
        lengths: How many rows each part has.

    Example:
        >>> joined_column([{}, {"enc1": np.array([0.5])}], [2, 1])["enc1"].tolist()
        [nan, nan, 0.5]
    """
    if not isinstance(parts[0], Mapping):
        return np.concatenate(parts) if np.ndim(parts[-1]) else parts[-1]
    keys = dict.fromkeys(key for part in parts for key in part)
    absent = [np.full(length, np.nan, np.float32) for length in lengths]
    return {key: np.concatenate([part.get(key, nan) for part, nan in zip(parts, absent, strict=True)]) for key in keys}


def first_rows(arrays: Arrays, rows: int) -> Arrays:
    """Of each array its first rows."""

    def cut(array: NDArray[Any]) -> NDArray[Any]:
        return array[:rows] if np.ndim(array) else array

    return {
        name: {key: cut(array) for key, array in value.items()} if isinstance(value, Mapping) else cut(value)
        for name, value in arrays.items()
    }


class Segments:
    """The files of one record.

    Args:
        folder: `dynamics` of a run.
        name: Of the record.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> segments = Segments(folder, "gradient")
        >>> for step in range(5):
        ...     segments.append(step, {"step": np.array([step])})
        >>> sorted(file.name for file in folder.glob("gradient/*")), segments.read()["step"].tolist()
        (['000000000000-000000000004.npz', '000000000004-000000000005.npz'], [0, 1, 2, 3, 4])
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._whole, self._folder = folder / f"{name}.npz", folder / name

    def read(self) -> Arrays:
        """The whole record.

        Raises:
            RunError: If a file is damaged, or rows are missing.
        """
        ranges = self._chain()[1] if self._ranges() else []
        if not ranges:
            return read_arrays(self._whole)
        parts = [read_arrays(self._whole)] if ranges[0][0] else []
        parts += [self._part(*each) for each in ranges]
        try:
            return joined(parts)
        except Exception as error:  # a damaged file may hold any arrays
            raise RunError(f"{self._folder} is damaged: {error}.") from error

    def append(self, first: int, arrays: Arrays) -> None:
        """Write rows; what there is from the first of them on is replaced.

        Files of as many rows or fewer right before them are taken into the new one: as in a binary counter there are at
        most log₂ n + 1 of them for n rows, and each row is written as often.

        Args:
            first: The number of the first, from 0.
            arrays: At least one row.

        Raises:
            ValueError: If the arrays differ in length.
            RunError: If there are fewer rows than `first`.
            OSError: Where nothing can be written; then there is what there was.
        """
        end = first + rows_of(arrays)
        self.cut_back(first)
        ranges = self._chain()[1]
        taken: list[tuple[int, int]] = []
        while ranges and ranges[-1][1] - ranges[-1][0] <= end - (taken[0][0] if taken else first):
            taken.insert(0, ranges.pop())
        try:
            arrays = joined([*(self._part(*each) for each in taken), arrays])
        except Exception:  # of a damaged file; it costs its own rows only
            taken = []
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write(self._file(taken[0][0] if taken else first, end), arrays)
        self._remove(taken)

    def cut_back(self, rows: int) -> None:
        """Keep the first rows only; after a kill in the midst of it there are these or more.

        Args:
            rows: How many.

        Raises:
            RunError: If there are fewer, or `NAME.npz` is damaged.
        """
        whole, ranges = self._chain()
        end = ranges[-1][1] if ranges else whole
        if end < rows:
            raise RunError(f"{self._folder} must have {rows} rows of the record. It has {end}.")
        self._remove([each for each in self._ranges() if each not in ranges])
        for first, last in reversed(ranges):
            if last > rows:
                if first < rows:
                    self._write(self._file(first, rows), first_rows(self._part(first, last), rows - first))
                self._remove([(first, last)])
        if whole > rows:
            self._write(self._whole, first_rows(read_arrays(self._whole), rows))

    def compact(self) -> None:
        """Make one `NAME.npz` of all files."""
        if self._chain()[1]:
            self._write(self._whole, self.read())
        if self._folder.is_dir():
            self._remove(self._ranges())
            self._folder.rmdir()

    def _chain(self) -> tuple[int, list[tuple[int, int]]]:
        """How many rows `NAME.npz` has, where others need to know it, and the files that follow."""
        ranges = self._ranges()
        end = whole = _rows_of_file(self._whole) if self._whole.is_file() else 0
        found = []
        for first, last in ranges:
            if last <= end:
                continue
            if first != end:
                raise RunError(f"{self._folder} is damaged: its files don't follow each other at row {end}.")
            found.append((first, last))
            end = last
        return whole, found

    def _ranges(self) -> list[tuple[int, int]]:
        """Of all files, the longest first where several begin together."""
        names = [_NAME.fullmatch(file.name) for file in self._folder.glob("*.npz")]
        ranges = [(int(name[1]), int(name[2])) for name in names if name is not None]
        return sorted(ranges, key=lambda each: (each[0], -each[1]))

    def _part(self, first: int, last: int) -> Arrays:
        file = self._file(first, last)
        arrays = read_arrays(file)
        try:
            rows = rows_of(arrays)
        except ValueError as error:
            raise RunError(f"{file} is damaged: {error}") from error
        if rows != last - first:
            raise RunError(f"{file} is damaged: it has {rows} rows.")
        return arrays

    def _file(self, first: int, last: int) -> Path:
        return self._folder / f"{first:012}-{last:012}.npz"

    def _remove(self, ranges: Sequence[tuple[int, int]]) -> None:
        for each in ranges:
            self._file(*each).unlink(missing_ok=True)
        if ranges:
            sync_folder(self._folder)

    def _write(self, file: Path, arrays: Arrays) -> None:
        with replacing(file) as temporary:
            np.savez(temporary, **flatten(arrays))  # type: ignore[arg-type]


def segmented(folder: Path) -> list[str]:
    """The names of the records that have files of their rows.

    Args:
        folder: `dynamics` of a run; it need not be there.
    """
    return sorted({file.parent.name for file in folder.glob("[!.]*/*.npz") if _NAME.fullmatch(file.name)})


def _rows_of_file(file: Path) -> int:
    """How many rows the arrays of a file have, by the first that has any: all of it need not be read.

    Raises:
        RunError: If it is damaged.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as loaded:
            arrays = (loaded[name] for name in loaded.files if not name.endswith(SEPARATOR))
            return next((len(array) for array in arrays if array.ndim), 0)
    except Exception as error:  # archives that are damaged raise almost anything
        raise RunError(f"{file} is damaged: {error or type(error).__name__}.") from error
