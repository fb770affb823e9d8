"""NIfTI, the format of medical images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.formats.volume import Asked, Volume, nanometres, voxel_size
from unetdyn.data.refused import RefusedFile


def open_nifti(asked: Asked) -> Volume:
    """The volume in the order in which it is stored, x first, with its slope and intercept applied.

    A fourth axis is channels: time by the standard, and modalities in what people segment. A length without a unit
    is millimetres, as everywhere in the field.
    """
    path, nibabel = asked.path, asked.package
    image = nibabel.load(path)
    array, header = image.dataobj, image.header
    shape = tuple(image.shape)
    if array.dtype.names:  # colours
        array = np.asanyarray(array)
        array = np.stack([array[name] for name in array.dtype.names], axis=-1)
        shape = array.shape
    axes = "xyz"[: len(shape)] if len(shape) < 4 else _axes_of_many(shape, path)
    zooms = [*(float(zoom) for zoom in header.get_zooms()[:3]), 0.0, 0.0, 0.0][:3]
    unit = header.get_xyzt_units()[0] if hasattr(header, "get_xyzt_units") else "mm"
    size = voxel_size(zooms[::-1], [nanometres("um" if unit == "micron" else unit) or 1e6] * 3)
    return Volume(_Shaped(array, shape), axes, size, _orientation(image, nibabel))


class _Shaped:
    """The image's data, read when sliced: nibabel scales them then."""

    def __init__(self, array: Any, shape: tuple[int, ...]) -> None:
        self.array, self.shape = array, shape

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self.array[key])


def _axes_of_many(shape: tuple[int, ...], path: Path) -> str:
    if len([size for size in shape[3:] if size > 1]) > 1:
        raise RefusedFile(
            f"A NIfTI file must hold one volume with its channels. Received: {str(path)!r} of shape {shape}. "
            "Save one point of time in a file of its own."
        )
    longest = 3 + int(np.argmax(shape[3:]))
    return "xyz" + "".join("c" if axis == longest else "tuvw"[axis - 3] for axis in range(3, len(shape)))


def _orientation(image: Any, nibabel: Any) -> str | None:
    """Such as `"RAS"`; `None` where the file does not say it."""
    header = image.header
    if "sform_code" not in header or not (int(header["sform_code"]) or int(header["qform_code"])):
        return None
    codes = nibabel.aff2axcodes(image.affine)
    return "".join(codes) if all(codes) else None
