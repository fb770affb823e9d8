"""A file for a library that a failed write would end the process in."""

import io
from typing import Any


class UnfailingFile(io.FileIO):
    """Keeps the first error of writing to itself, and raises it when the file is left.

    Where HDF5 can't write what it holds, on a full disk or at a limit of a file's size, h5py 3.14 ends the process by a
    segmentation fault when the file is given up. Here no write ever fails: after an error nothing more is written, what
    is read is 0, and HDF5 closes in peace.

    Args:
        path: Of the file, which is made anew.

    Raises:
        OSError: When the `with` block ends, the error that was kept.

    Example:
        >>> import h5py, numpy as np, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with UnfailingFile(f"{folder}/weights.h5") as raw, h5py.File(raw, "w") as file:
        ...         file["kernel"] = np.ones(3)
        ...     with h5py.File(f"{folder}/weights.h5") as file:
        ...         file["kernel"][:].tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, path: Any) -> None:
        super().__init__(path, "w+b")
        self._error: OSError | None = None

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """All of it, or nothing after an error."""
        left = memoryview(data).cast("B")
        size = len(left)
        while self._error is None and left:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self._error = error
        return size

    def readinto(self, buffer: Any) -> int:
        """What is there; after an error 0 where nothing is."""
        count = super().readinto(buffer) or 0
        if self._error is None:
            return count
        into = memoryview(buffer).cast("B")
        into[count:] = bytes(len(into) - count)
        return len(into)

    def truncate(self, size: int | None = None) -> int:
        """To that size, as far as the file goes on."""
        if self._error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._error = error
        return self.tell() if size is None else size
