"""NRRD, the format of 3D Slicer and of many neuroscience atlases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.formats.volume import Asked, Volume, VoxelSize, nanometres, voxel_size
from unetdyn.data.refused import RefusedFile

_SPACES = {
    **dict.fromkeys(("right-anterior-superior", "ras"), ("RL", "AP", "SI")),
    **dict.fromkeys(("left-anterior-superior", "las"), ("LR", "AP", "SI")),
    **dict.fromkeys(("left-posterior-superior", "lps"), ("LR", "PA", "SI")),
}
_OF_SPACE = {"domain", "space", "???", "none"}


def open_nrrd(asked: Asked) -> Volume:
    """The volume, whose header lists the fastest axis first: x, y, z, and channels before or after them."""
    path, nrrd = asked.path, asked.package
    header = nrrd.read_header(str(path))
    shape = tuple(int(size) for size in header["sizes"])
    axes = _axes(shape, header, path)
    array = _Whole(shape, lambda: nrrd.read(str(path), index_order="F")[0])
    return Volume(array, axes, _voxel_size(header, axes), _orientation(header, axes))


class _Whole:
    """The data, all read when some are asked for, so that a header alone can be looked at."""

    def __init__(self, shape: tuple[int, ...], read: Callable[[], np.ndarray]) -> None:
        self.shape, self.read = shape, read

    def __getitem__(self, key: Any) -> np.ndarray:
        return self.read()[key]


def _axes(shape: tuple[int, ...], header: Any, path: Path) -> str:
    kinds = [str(kind).lower() for kind in header.get("kinds", ["???"] * len(shape))]
    directions = header.get("space directions")
    spatial = [kind in _OF_SPACE for kind in kinds]
    if directions is not None:  # an axis without a direction is none of space
        spatial = [bool(np.isfinite(np.asarray(one, float)).all()) for one in _rows(directions, len(shape))]
    elif all(spatial) and len(shape) == 4 and min(shape[0], shape[-1]) <= 4:  # colours, of which nothing is said
        spatial[0 if shape[0] <= 4 else 3] = False
    others = [place for place, is_space in enumerate(spatial) if not is_space]
    if len(shape) - len(others) not in (2, 3) or len(others) > 1:
        raise RefusedFile(
            f"An NRRD file must have two or three axes of space and at most one of channels. Received: {str(path)!r} "
            f"of shape {shape} with the kinds {', '.join(kinds)}. Save one volume in a file of its own."
        )
    if others and kinds[others[0]] == "time" and shape[others[0]] > 1:
        raise RefusedFile(
            f"An NRRD file must hold one volume. Received: {str(path)!r} with {shape[others[0]]} points of time. "
            "Save one of them in a file of its own."
        )
    letters = iter("xyz")
    return "".join(next(letters) if is_space else "c" for is_space in spatial)


def _rows(directions: Any, count: int) -> list[Any]:
    rows = [np.nan if row is None else row for row in directions]
    return rows if len(rows) == count else [0.0] * count


def _voxel_size(header: Any, axes: str) -> VoxelSize | None:
    """Lengths in a space that is named, but without a unit, are millimetres, as in 3D Slicer."""
    directions = header.get("space directions")
    if directions is not None:
        rows = _rows(directions, len(axes))
        sizes = {axis: float(np.linalg.norm(np.asarray(row, float))) for axis, row in zip(axes, rows, strict=True)}
        units = [nanometres(unit) for unit in header.get("space units", ())]
        named = 1e6 if str(header.get("space", "")).lower() in _SPACES else None
        unit = units[0] if units and len(set(units)) == 1 else named
        return voxel_size([sizes.get(axis) for axis in "zyx"], [unit] * 3)
    spacings = dict(zip(axes, header.get("spacings", ()), strict=False))
    units_of = dict(zip(axes, header.get("units", ()), strict=False))
    return voxel_size([spacings.get(axis) for axis in "zyx"], [nanometres(units_of.get(axis)) for axis in "zyx"])


def _orientation(header: Any, axes: str) -> str | None:
    names = _SPACES.get(str(header.get("space", "")).lower())
    directions = header.get("space directions")
    if names is None or directions is None or not {"x", "y", "z"} <= set(axes):
        return None
    rows = [
        np.asarray(row, float) for row, axis in zip(_rows(directions, len(axes)), axes, strict=True) if axis in "xyz"
    ]
    main = [int(np.argmax(np.abs(row))) for row in rows]
    return "".join(names[place][0 if row[place] > 0 else 1] for row, place in zip(rows, main, strict=True))
