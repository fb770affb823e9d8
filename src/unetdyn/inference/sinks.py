"""Where the result goes: an array, or a file that is written a piece at a time and never read back."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unetdyn.data.formats.volume import VoxelSize
from unetdyn.inference.volume_files import make_mrc, make_nifti

ENDINGS = (".npy", ".tif", ".tiff", ".zarr", ".nii", ".mrc")
ONE_VALUE = (".tif", ".tiff", ".nii", ".mrc")
"""What holds one value a pixel: a further axis would be taken for colours, or for time."""
_PACKAGES = {".zarr": ("Zarr", "zarr"), ".nii": ("NIfTI", "nibabel"), ".mrc": ("MRC", "mrcfile")}
_PLANE, _DEPTH = 512, 16  # sides of a chunk of Zarr, in pixels; in 3D the plane's side is half of that


@dataclass(frozen=True)
class Layout:
    """What the result is.

    Attributes:
        shape: `(z,) y, x`, and a last axis of channels where there are several.
        axes: A letter for each of them.
        dtype: Of its values.
        rank: Of a tile: 2 or 3.
        voxel_size: (z, y, x) in nanometres, or None.
        source: The file that was predicted, or None: what is said there of how it lies in space holds for the result.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    rank: int
    voxel_size: VoxelSize | None = None
    source: Path | None = None

    @property
    def chunk(self) -> tuple[int, ...]:
        """Of Zarr."""
        sides = {"z": 1, "y": _PLANE, "x": _PLANE}
        if self.rank == 3:
            sides = {"z": _DEPTH, "y": _PLANE // 2, "x": _PLANE // 2}
        return tuple(min(sides.get(axis, length), length) for axis, length in zip(self.axes, self.shape, strict=True))

    @property
    def line_axis(self) -> int:
        """Which axis lines lie along: rows of pixels in 2D, sections in 3D."""
        return self.axes.index("y" if self.rank == 2 else "z")


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
        widened: Types of values that it does not hold, and the ones that stand for them.
    """

    make: Callable[[Path, Layout], int]
    open: Callable[[Path, Layout, int | None], Sink]
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
    if ending in _PACKAGES:
        name, package = _PACKAGES[ending]
        try:
            import_module(package)
        except ImportError as error:
            raise ImportError(
                f"Writing {name} needs the package {package!r}, which can't be imported ({error}). Received: "
                f"out={str(path)!r}. Install it by pip install 'unetdyn[formats]', or write to .npy or .tif.",
                name=package,
            ) from error
    return _KINDS[ending]


def check_fits(path: Path, channels: int) -> None:
    """Refuse several values a pixel where readers would take them for something else."""
    if path.suffix.lower() in ONE_VALUE and channels > 1:
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
    ".zarr": Kind(_make_zarr, _open_zarr),
    ".npy": Kind(_make_npy, _open_raw),
    ".tif": Kind(_make_tiff, _open_raw),
    ".tiff": Kind(_make_tiff, _open_raw),
    ".nii": Kind(make_nifti, _open_raw, {"bool": "uint8", "float16": "float32"}),
    ".mrc": Kind(make_mrc, _open_raw, {"bool": "int8", "uint8": "uint16"}),  # as mrcfile does: bytes have a sign there
}
