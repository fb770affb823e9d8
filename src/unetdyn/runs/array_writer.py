"""Write the arrays of a run: whole, or by the rows that have come to them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unetdyn.runs.atomic import replacing
from unetdyn.runs.nesting import flatten
from unetdyn.runs.records import RunError
from unetdyn.runs.segments import Segments, segmented


class ArrayWriter(ABC):
    """What a `RunWriter` does in the folder `dynamics` of its run.

    Example:
        >>> import tempfile, unetdyn.runs
        >>> writer = unetdyn.runs.RunWriter(tempfile.mkdtemp())
        >>> writer.save_arrays("stability", sigma=[0.5, 0.25])
        >>> for step in range(3):
        ...     writer.append_arrays("gradient", step, step=[step])
        >>> unetdyn.runs.open(writer.path).arrays("gradient")["step"].tolist()
        [0, 1, 2]
    """

    @abstractmethod
    def _owned(self) -> Path:
        """The run directory, into which may be written now."""

    def save_arrays(self, name: str, **arrays: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Write or replace `dynamics/NAME.npz`: arrays of numbers or texts, never pickled objects.

        Args:
            name: A plain file name without suffix.
            **arrays: Arrays, or dictionaries of arrays such as those by block; `Run.arrays` gives them back as such.
        """
        folder = self._dynamics(name, arrays)
        with replacing(folder / f"{name}.npz") as temporary:
            np.savez(temporary, **flatten(arrays))  # type: ignore[arg-type]

    def append_arrays(self, name: str, first: int, **arrays: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Write further rows of a record that only grows, without those that are there: `unetdyn.runs.segments`.

        Args:
            name: A plain file name without suffix.
            first: The number of the first of these rows, from 0; rows from there on are replaced.
            **arrays: As of `save_arrays`, all of one length; those without an axis hold for the whole record.

        Raises:
            ValueError: If they differ in length, or rows before `first` are missing.
        """
        folder = self._dynamics(name, arrays)
        Segments(folder, name).append(first, arrays)

    def cut_back_arrays(self, rows: Mapping[str, int]) -> None:
        """Keep the first rows only of records that grow: of a training that is carried on from an earlier moment.

        Args:
            rows: How many, by the name of the record. Others are left as they are.

        Raises:
            RunError: If there are fewer, or a file is damaged.
        """
        folder = self._owned() / "dynamics"
        for name, count in rows.items():
            Segments(folder, name).cut_back(count)

    def compact_arrays(self) -> None:
        """Make one file of each record that has grown, at the end of a training.

        Raises:
            RunError: If some are damaged; these stay as they are.
        """
        folder, damaged = self._owned() / "dynamics", []
        for name in segmented(folder):
            try:
                Segments(folder, name).compact()
            except RunError as error:
                damaged.append(error)
        if damaged:
            raise damaged[0]

    def _dynamics(self, name: str, arrays: Mapping[str, Any]) -> Path:
        """The folder for arrays, made where it is missing; these may be written there."""
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"`name` must be a plain file name without a folder. Received: name={name!r}.")
        for key, array in flatten(arrays).items():
            if array.dtype.hasobject:
                raise TypeError(f"Arrays of a run hold numbers or texts. Received: {key} of dtype {array.dtype}.")
        folder = self._owned() / "dynamics"
        folder.mkdir(exist_ok=True)
        return folder
