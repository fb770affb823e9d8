"""HDF5: one dataset of a file, named by `file.h5::/path`."""

from __future__ import annotations

import json
from typing import Any

from unetdyn.data.formats.arrays import chosen, told_axes
from unetdyn.data.formats.volume import Asked, Volume, VoxelSize, voxel_size


def open_hdf5(asked: Asked) -> Volume:
    """The dataset; its axes from ilastik's `axistags` or the labels of its dimensions, where it has them."""
    h5py = asked.package
    file = h5py.File(asked.path, "r")
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = item

    file.visititems(visit)
    array = chosen(found, asked.name, asked.path)
    return Volume(array, told_axes(asked.axes or _axes(array), array.shape, str(asked.path)), _voxel_size(array))


def _axes(array: Any) -> str | None:
    if "axistags" in array.attrs:
        return "".join(axis["key"] for axis in json.loads(array.attrs["axistags"])["axes"])
    labels = [dimension.label for dimension in array.dims]
    return "".join(label[0] for label in labels).lower() if all(labels) else None


def _voxel_size(array: Any) -> VoxelSize | None:
    """`element_size_um`, as ImageJ and ilastik write, or `resolution` in nanometres, as in CREMI; both (z, y, x)."""
    for name, unit in (("element_size_um", 1e3), ("resolution", 1.0)):
        sizes = [float(size) for size in array.attrs.get(name, ())]
        if len(sizes) == 3:
            return voxel_size(sizes, [unit] * 3)
    return None
