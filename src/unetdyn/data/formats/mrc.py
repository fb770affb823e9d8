"""MRC, the format of electron microscopes and tomograms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from unetdyn.data.formats.volume import Asked, Volume, voxel_size
from unetdyn.data.refused import RefusedFile

_ANGSTROM = 0.1
_IMOD_STAMP, _STAMP_AT, _FLAGS_AT = 1146047817, 152, 156
_SIGNED_BYTES = 1


def open_mrc(asked: Asked) -> Volume:
    """A map of the file; its axes as the header's `mapc`, `mapr` and `maps` say.

    Mode 0 is signed bytes since MRC2014 and was unsigned before: IMOD's stamp in the header tells, and elsewhere a
    largest value above 127.
    """
    path, mrcfile = asked.path, asked.package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the header lacks beside sizes and mode is no matter here
        with mrcfile.open(path, permissive=True, header_only=True) as file:
            header = file.header
    if int(header.mode) not in (0, 1, 2, 6, 12):
        raise RefusedFile(
            f"An MRC file must have mode 0, 1, 2, 6 or 12. Received: {str(path)!r} of mode {int(header.mode)}, which "
            "is complex or packed. Convert it, for example by IMOD's `newstack -mode 2`."
        )
    dtype = mrcfile.utils.data_dtype_from_header(header)
    if int(header.mode) == 0 and _unsigned(header):
        dtype = np.dtype(np.uint8)
    shape = mrcfile.utils.data_shape_from_header(header)
    offset = 1024 + int(header.nsymbt)
    needed, held = offset + int(np.prod(shape, dtype=object)) * dtype.itemsize, path.stat().st_size
    if min(shape) < 1 or held < needed:
        raise RefusedFile(
            f"An MRC file must be as long as its header says, {needed} bytes for {shape} pixels of {dtype}. "
            f"Received: {str(path)!r} of {held} bytes. Was it cut short?"
        )
    array = np.memmap(path, dtype, "r", offset, shape)
    order = [int(header[name]) for name in ("maps", "mapr", "mapc")]
    spatial = "".join("xyz"[axis - 1] for axis in order) if sorted(order) == [1, 2, 3] else "zyx"
    size = _size(header)
    return Volume(array, ("t" + spatial)[-len(shape) :], voxel_size(size, [_ANGSTROM] * 3))


def _size(header: Any) -> list[float]:
    """(z, y, x) in Ångström: the cell's edges, which are named by space whatever the order of the axes."""
    return [float(header.cella[axis]) / max(int(header["m" + axis]), 1) for axis in "zyx"]


def _unsigned(header: Any) -> bool:
    stamp, flags = np.frombuffer(header.tobytes(), header.mode.dtype, 2, _STAMP_AT)
    return not flags & _SIGNED_BYTES if stamp == _IMOD_STAMP else float(header.dmax) > 127
