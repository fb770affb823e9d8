"""Where the result goes: an array, or a file that is written a piece at a time and never read back."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unetdyn.inference.layout import Layout
from unetdyn.inference.volume_files import make_mrc, make_nifti


class Sink(Protocol):
    """Takes lines that are finished, in their order."""

    together: int
    """Lines that must be written at once, counted from the first of a section."""

    def write(self, item: int, first: int, values: np.ndarray) -> None:
        """Lines of a section, or of the volume, from `first` on; with an axis of channels where there are several."""

    def close(self) -> None:
        """Nothing more is written."""


class ArraySink:
    """Anything that takes slices, such as a NumPy array, a memory map or a Zarr array.

    Args:
        array: Of the layout's shape.
        layout: Of the result.
        together: See `Sink`.
    """

    def __init__(self, array: Any, layout: Layout, together: int = 1) -> None:
        self.array, self._layout, self.together = array, layout, together

    def write(self, item: int, first: int, values: np.ndarray) -> None:
        """See `Sink`."""
        lines = slice(first, first + len(values))
        self.array[(item, lines) if self._layout.line_axis else (lines,)] = values

    def close(self) -> None:
        """See `Sink`."""


class RawSink:
    """Values one after the other from some byte of a file on: not mapped, so that none of it stays in memory.

    Args:
        path: The file, which has its length already.
        offset: Where the values begin, in bytes.
        layout: Of the result.
    """

    together = 1

    def __init__(self, path: Path, offset: int, layout: Layout) -> None:
        self._file, self._dtype = path.open("r+b", buffering=0), layout.dtype
        self._offset, self._axis = offset, layout.line_axis
        self._lines = layout.shape[self._axis]
        self._line_bytes = prod(layout.shape[self._axis + 1 :]) * layout.dtype.itemsize

    def write(self, item: int, first: int, values: np.ndarray) -> None:
        """See `Sink`."""
        self._file.seek(self._offset + (item * self._lines + first) * self._line_bytes)
        left = np.ascontiguousarray(values, self._dtype).data.cast("B")
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())  # before anybody notes that they are written

    def close(self) -> None:
        """See `Sink`."""
        self._file.close()


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: Writes a file of the layout's length, without values; gives what is needed to find their place again.
        open: Its sink, given that.
        one_value: Whether a pixel has one value: readers take a further axis for colours, or for time.
        package: Its name as people call it, and the package that writes it; None where that is always there.
        widened: Types of values that it does not hold, and the ones that stand for them.
    """

    make: Callable[[Path, Layout], int]
    open: Callable[[Path, Layout, int | None], Sink]
    one_value: bool = False
    package: tuple[str, str] | None = None
    widened: Mapping[str, str] = field(default_factory=dict)

    def fitted(self, layout: Layout) -> Layout:
        """The same, with a type of values that it holds."""
        return replace(layout, dtype=np.dtype(self.widened.get(layout.dtype.name, layout.dtype)))


def kind_of(path: Path) -> Kind:
    """By the ending.

    Raises:
        ImportError: If the package that writes it is not installed.
        IsADirectoryError: If there is a folder where a file is asked for, which no file can replace.
        ValueError: If it is another ending.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        compressed = " What is compressed can't be written a piece at a time: pass .nii." if ending == ".gz" else ""
        raise ValueError(
            f"`out` must end in one of {', '.join(ENDINGS)}, be an array, or None. Received: out={str(path)!r}."
            f"{compressed}"
        )
    if ending != ".zarr" and path.is_dir():
        raise IsADirectoryError(f"`out` must be a file. Received: out={str(path)!r}, which is a folder.")
    kind = _KINDS[ending]
    if kind.package is not None:
        name, package = kind.package
        try:
            import_module(package)
        except ImportError as error:
            raise ImportError(
                f"Writing {name} needs the package {package!r}, which can't be imported ({error}). Received: "
                f"out={str(path)!r}. Install it by pip install 'unetdyn[formats]', or write to .npy or .tif.",
                name=package,
            ) from error
    return kind


def check_fits(path: Path, channels: int) -> None:
    """Refuse several values a pixel where readers would take them for something else."""
    if kind_of(path).one_value and channels > 1:
        raise ValueError(
            f"`out` must end in .npy or .zarr for several values a pixel. Received: out={str(path)!r} for "
            f"{channels} classes. Or pass reduce='argmax', which gives one value."
        )


def _open_raw(path: Path, layout: Layout, offset: int | None) -> Sink:
    assert offset is not None  # it was written
    return RawSink(path, offset, layout)


def _make_npy(path: Path, layout: Layout) -> int:
    return int(np.lib.format.open_memmap(path, "w+", layout.dtype, layout.shape).offset)


def _make_tiff(path: Path, layout: Layout) -> int:
    """Not compressed: only so its place is known before. OME where it can tell the size of voxels, in nanometres."""
    from tifffile import memmap

    metadata: dict[str, Any] = {"axes": layout.axes.upper()}
    ome = layout.voxel_size is not None and layout.dtype != np.float16
    if ome and layout.voxel_size is not None:
        for axis, size in zip("ZYX", layout.voxel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "nm"}
    described = {"photometric": "minisblack", "metadata": metadata, "ome": ome}
    return int(memmap(path, shape=layout.shape, dtype=layout.dtype, **described).offset)


def _make_zarr(path: Path, layout: Layout) -> int:
    import zarr

    made = zarr.create_array(
        str(path),
        shape=layout.shape,
        chunks=layout.chunk,
        dtype=layout.dtype,
        dimension_names=tuple(layout.axes),
        fill_value=0,
    )
    if layout.voxel_size is not None:
        made.attrs["resolution"] = list(layout.voxel_size)
    return 0


def _open_zarr(path: Path, layout: Layout, _offset: int | None) -> Sink:
    import zarr

    return ArraySink(zarr.open_array(str(path), mode="r+"), layout, layout.chunk[layout.line_axis])


_KINDS = {
    ".npy": Kind(_make_npy, _open_raw),
    ".tif": (_TIFF := Kind(_make_tiff, _open_raw, one_value=True, widened={"bool": "uint8"})),
    ".tiff": _TIFF,
    ".zarr": Kind(_make_zarr, _open_zarr, package=("Zarr", "zarr")),
    ".nii": Kind(make_nifti, _open_raw, True, ("NIfTI", "nibabel"), {"bool": "uint8", "float16": "float32"}),
    ".mrc": Kind(make_mrc, _open_raw, True, ("MRC", "mrcfile"), {"bool": "int8", "uint8": "uint16"}),  # as mrcfile does
}
ENDINGS = tuple(_KINDS)
