"""Arrays that stay on disk: what is asked for is read, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from unetdyn._checks import is_count

Window = tuple[slice, ...]
Read = Callable[[int, int, Window], np.ndarray]


class LazyArray:
    """Sections (or tiles) with the shape and dtype of an array, read from their file when they are indexed.

    `sections[3]`, `sections[3, 0:64, 0:64]`, `sections[2:5]` and `sections[[5, 1]]` are NumPy arrays, read at that
    moment; so are the sections of a loop over it. It does not turn into an array by itself, because it may be larger
    than memory: `sections[:]` is all of it, where that is wanted.

    Args:
        shape: `(sections, height, width, channels)`, or of tiles in 3D `(tiles, depth, height, width, channels)`.
        dtype: What `read` gives.
        read: `read(start, stop, window)` gives the sections from `start` to before `stop`; of each the part in
            `window`, one slice with bounds for each axis between the first and the channels.
        extremes: `(sections, 2)`: the smallest and largest value of each section, or `None` where it is not known.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data.lazy import LazyArray
        >>> sections = LazyArray.of(np.arange(24, dtype="uint8").reshape(2, 3, 4, 1))
        >>> sections.shape, sections[1].shape, sections[0, 1:3, :2].ravel().tolist()
        ((2, 3, 4, 1), (3, 4, 1), [4, 5, 8, 9])
    """

    def __init__(self, shape: Sequence[int], dtype: Any, read: Read, extremes: np.ndarray | None = None) -> None:
        self.extremes = extremes
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self.read = read

    @classmethod
    def of(cls, array: Any) -> LazyArray:
        """Of a memory map, or anything else with `shape`, `dtype` and slices, such as an HDF5 dataset."""
        if isinstance(array, LazyArray):
            return array

        def read(start: int, stop: int, window: Window) -> np.ndarray:
            return np.array(array[(slice(start, stop), *window)])

        return cls(array.shape, array.dtype, read)

    @classmethod
    def joined(cls, arrays: Sequence[LazyArray]) -> LazyArray:
        """One after the other; their sections have one shape and dtype."""
        if len(arrays) == 1:
            return arrays[0]
        counts = [len(array) for array in arrays]
        places = [(array, index) for array, count in zip(arrays, counts, strict=True) for index in range(count)]

        def read_one(place: int, window: Window) -> np.ndarray:
            array, index = places[place]
            return array.read(index, index + 1, window)

        return cls((sum(counts), *arrays[0].shape[1:]), arrays[0].dtype, _one_by_one(read_one))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *slices = key if isinstance(key, tuple) else (key,)
        window = self._window(slices)
        if is_count(first):
            index = range(len(self))[first]
            return self.read(index, index + 1, window)[0]
        chosen = np.arange(len(self))[first]
        empty = np.empty((0, *(part.stop - part.start for part in window), self.shape[-1]), self.dtype)
        return np.concatenate([empty, *(self.read(a, b, window) for a, b in _runs(chosen))])

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            f"These {len(self)} sections stay on disk and may be larger than memory, so they do not become an array by "
            "themselves. Read some by index, such as `sections[3]`, or all of them by `sections[:]`."
        )

    def __repr__(self) -> str:
        return f"LazyArray(shape={self.shape}, dtype={self.dtype})"

    def min(self) -> Any:
        """The smallest value, read section by section where it is not known yet."""
        return self._extremes()[:, 0].min()

    def max(self) -> Any:
        """The largest value, read section by section where it is not known yet."""
        return self._extremes()[:, 1].max()

    def take(self, indices: Sequence[int] | np.ndarray, axis: int = 0) -> LazyArray:
        """Those at `indices`, in that order, still on disk; `axis` is 0, as this is about sections."""
        del axis
        chosen = np.arange(len(self))[np.asarray(indices, dtype=np.intp)]

        def read(start: int, stop: int, window: Window) -> np.ndarray:
            return np.concatenate([self.read(a, b, window) for a, b in _runs(chosen[start:stop])])

        extremes = None if self.extremes is None else self.extremes[chosen]
        return LazyArray((len(chosen), *self.shape[1:]), self.dtype, read, extremes)

    def map(self, function: Callable[[int, np.ndarray], np.ndarray], dtype: Any, channels: int) -> LazyArray:
        """With `function(index, part)` of each section, or of whatever part of it is read, pixel by pixel."""

        def read(start: int, stop: int, window: Window) -> np.ndarray:
            parts = zip(range(start, stop), self.read(start, stop, window), strict=True)
            return np.stack([function(index, part) for index, part in parts])

        return LazyArray((*self.shape[:-1], channels), dtype, read)

    def shrunk(self, factor: int, function: Callable[..., np.ndarray], beside: Sequence[LazyArray] = ()) -> LazyArray:
        """With `function` of sections, and of those `beside`, which makes them smaller by `factor`, block by block."""
        count, height, width, channels = self.shape

        def read(start: int, stop: int, window: Window) -> np.ndarray:
            larger = tuple(slice(part.start * factor, part.stop * factor) for part in window)
            return function(*(array.read(start, stop, larger) for array in (self, *beside)))

        return LazyArray((count, height // factor, width // factor, channels), self.dtype, read)

    def cut(self, starts: np.ndarray, sizes: tuple[int, ...]) -> LazyArray:
        """Tiles of it.

        Args:
            starts: `(tiles, 3)`: the first section, row and column of each.
            sizes: `(height, width)`, or `(depth, height, width)` for tiles in 3D.
        """
        flat = len(sizes) == 2

        def read_one(index: int, window: Window) -> np.ndarray:
            planes, rows, cols = (slice(0, 1), *window) if flat else window
            section, row, col = starts[index]
            place = slice(row + rows.start, row + rows.stop), slice(col + cols.start, col + cols.stop)
            tile = self.read(section + planes.start, section + planes.stop, place)
            return tile if flat else tile[np.newaxis]

        return LazyArray((len(starts), *sizes, self.shape[-1]), self.dtype, _one_by_one(read_one))

    def _extremes(self) -> np.ndarray:
        if self.extremes is None:
            self.extremes = np.array([(section.min(), section.max()) for section in self])
        return self.extremes

    def _window(self, slices: Sequence[Any]) -> Window:
        sizes = self.shape[1:-1]
        if len(slices) > len(sizes) or any(
            not isinstance(part, slice) or part.step not in (None, 1) for part in slices
        ):
            raise IndexError(
                f"Sections on disk of shape {self.shape} are indexed by a number, slice or list of sections, and then "
                f"by at most {len(sizes)} slices without a step. Received: {slices!r} after the sections. "
                "Read the section first, and index what was read."
            )
        asked = [*slices, *[slice(None)] * (len(sizes) - len(slices))]
        bounds = [part.indices(size)[:2] for part, size in zip(asked, sizes, strict=True)]
        return tuple(slice(start, max(start, stop)) for start, stop in bounds)


def _one_by_one(read_one: Callable[[int, Window], np.ndarray]) -> Read:
    def read(start: int, stop: int, window: Window) -> np.ndarray:
        return np.concatenate([read_one(index, window) for index in range(start, stop)])

    return read


def _runs(indices: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and end of each run of neighbours, which one reading gives: `[4, 5, 1]` → `(4, 6), (1, 2)`."""
    ends = np.flatnonzero(np.diff(indices) != 1) + 1
    return ((int(run[0]), int(run[-1]) + 1) for run in np.split(indices, ends) if len(run))
