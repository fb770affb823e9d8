"""What a file of any format holds, as it lies there, and its sections in our order of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.depth import standard_dtype
from unetdyn.data.lazy import LazyArray, Window
from unetdyn.data.refused import RefusedFile

VoxelSize = tuple[float, float, float]

# In nanometres. Both signs for micro, and the names that OME-Zarr, OME-TIFF, ImageJ, NRRD and NIfTI write.
_NANOMETRES = {
    **dict.fromkeys(("angstrom", "å", "ångström"), 0.1),
    **dict.fromkeys(("nanometer", "nanometre", "nm"), 1.0),
    **dict.fromkeys(("micrometer", "micrometre", "micron", "microns", "um", "µm", "μm", "\\u00b5m"), 1e3),
    **dict.fromkeys(("millimeter", "millimetre", "mm"), 1e6),
    **dict.fromkeys(("centimeter", "centimetre", "cm"), 1e7),
    **dict.fromkeys(("inch", "in"), 25.4e6),
    **dict.fromkeys(("meter", "metre", "m"), 1e9),
}


@dataclass(frozen=True)
class Volume:
    """An array of a file, which may still be on disk, and what the file says of it.

    Args:
        array: Anything with `shape`, and slices that give NumPy arrays.
        axes: A letter for each axis: z, y, x, c for channels. Others, such as t for time, must have length 1.
        voxel_size: (z, y, x) in nanometres, or `None` where the file does not say.
        orientation: Where the axes x, y, z lead in a body, such as `"RAS"`, or `None`.
    """

    array: Any
    axes: str
    voxel_size: VoxelSize | None = None
    orientation: str | None = None


@dataclass(frozen=True)
class Asked:
    """What a reader is asked for.

    Args:
        path: The file, or of Zarr the folder.
        name: Of the array in it, or `None` for the only one.
        axes: As the user names them, or `None`.
        package: The imported package that reads the format, or `None` where none is needed.
    """

    path: Path
    name: str | None
    axes: str | None
    package: Any


def nanometres(unit: str | None) -> float | None:
    """One unit of length in nanometres; `None` for what is no unit of length, such as pixels.

    >>> nanometres("micrometer"), nanometres("Å"), nanometres("pixel")
    (1000.0, 0.1, None)
    """
    return None if unit is None else _NANOMETRES.get(str(unit).strip().lower())


def voxel_size(sizes: Sequence[float | None], units: Sequence[float | None]) -> VoxelSize | None:
    """(z, y, x) in nanometres from sizes and nanometres a unit; `None` unless all are known and above 0.

    >>> voxel_size((4, 0.5, 0.5), (1.0, 1000.0, 1000.0)), voxel_size((4, 0, 0), (1.0, 1.0, 1.0))
    ((4.0, 500.0, 500.0), None)
    """
    known = [float(size) * unit for size, unit in zip(sizes, units, strict=True) if size and unit]
    if len(known) < 3 or not all(math.isfinite(size) and size > 0 for size in known):
        return None
    z, y, x = known
    return z, y, x


def guessed_axes(shape: Sequence[int], path: str) -> str:
    """The axes of an array that doesn't say them: `yx`, `yxc`, `zyx` or `zyxc`, where no other is as likely.

    >>> guessed_axes((64, 64, 3), ""), guessed_axes((30, 64, 64), ""), guessed_axes((1, 30, 64, 64), "")
    ('yxc', 'zyx', 'tzyx')
    """
    ones = 0
    while len(shape) - ones > 3 and shape[ones] == 1:
        ones += 1
    left = shape[ones:]
    few = len(left) > 2 and left[-1] <= 4 < min(left[-3:-1])
    axes = {2: "yx", 3: "yxc" if few else "zyx", 4: "zyxc" if few or (len(left) == 4 and left[-1] == 1) else ""}
    if not axes.get(len(left)):
        raise RefusedFile(
            f"The axes of an array of shape {tuple(shape)} can't be told from its shape. Received: {path!r}. "
            "Name them by `axes`, a letter for each: z, y, x, c for channels; for example axes='czyx'."
        )
    return "tuvw"[:ones] + axes[len(left)]


def sections_of(volume: Volume, path: Path, mask: bool = False) -> LazyArray:
    """The volume as `(sections, height, width, channels)`, in `uint8`, `uint16` or `float32`.

    Args:
        volume: The volume; without an axis z it is one section, without c it has one channel.
        path: For messages.
        mask: As in `standard_dtype`, which judges what is read whole; a window of a section is part of one.

    Raises:
        RefusedFile: Where it holds no real numbers, no pixels, or several volumes, such as points of time; when it is
            read, where `float32` can't hold the values.
    """
    array, axes = volume.array, volume.axes
    sizes = dict(zip(axes, array.shape, strict=True))
    others = {axis: size for axis, size in sizes.items() if axis not in "zyxc" and size > 1}
    if others or not {"y", "x"} <= set(axes):
        what = " and ".join(f"{size} along {axis!r}" for axis, size in others.items()) or "no axes y and x"
        raise RefusedFile(
            f"A file must hold one volume, with the axes z, y, x and c for channels. Received: {str(path)!r} with the "
            f"axes {axes!r} of shape {tuple(array.shape)}, so {what}. Save one of them in a file of its own."
        )
    if 0 in array.shape:
        raise RefusedFile(f"A file must hold pixels. Received: {str(path)!r} of shape {tuple(array.shape)}.")
    left = [axis for axis in axes if axis in "zyxc"]
    order = [left.index(axis) for axis in "zyxc" if axis in left]
    missing = tuple(place for place, axis in enumerate("zyxc") if axis not in left)

    def read(start: int, stop: int, window: Window) -> np.ndarray:
        place = {"z": slice(start, stop), "y": window[0], "x": window[1], "c": slice(None)}
        part = np.asarray(array[tuple(place.get(axis, 0) for axis in axes)])
        _check_real(part, path)
        part = np.expand_dims(part.transpose(order), missing)
        part = part.astype(np.uint8) if part.dtype == np.bool_ else part
        return standard_dtype(part, path, mask, part=list(part.shape[1:3]) != shape[1:3])

    shape = [sizes.get(axis, 1) for axis in "zyxc"]
    return LazyArray(shape, read(0, 1, (slice(0, 1), slice(0, 1))).dtype, read)


def _check_real(array: np.ndarray, path: Path) -> None:
    if array.dtype.kind not in "biuf":
        raise RefusedFile(
            f"A file must hold real numbers. Received: {str(path)!r} of dtype {array.dtype}. "
            "Save what is to be seen of it, such as the magnitude, as numbers."
        )
