"""NIfTI and MRC files of a result's length, whose values are written afterwards."""

import sys
from math import prod
from pathlib import Path
from typing import Any

from unetdyn.inference.layout import Layout

_LARGEST_OF_NIFTI_1 = 2**15 - 1  # its lengths are int16
_MICROMETRES, _ANGSTROM = 1e-3, 10.0  # in a nanometre


def make_nifti(path: Path, layout: Layout) -> int:
    """As the source lies in space where that is NIfTI too, with its units; else with the size of voxels alone.

    A NIfTI file holds x, y, z with x fastest, which is z, y, x as arrays have it. NIfTI-2 where a side is too long for
    NIfTI-1. Other values of the header, such as the range that is shown, would not be those of the result.
    """
    import nibabel

    header: Any = nibabel.Nifti1Header()
    if of_nifti := layout.source is not None and layout.source.name.lower().endswith((".nii", ".nii.gz")):
        header = nibabel.load(layout.source).header.copy()
    if max(layout.shape) > _LARGEST_OF_NIFTI_1 and not isinstance(header, nibabel.Nifti2Header):
        header = nibabel.Nifti2Header.from_header(header)
    header = header.as_byteswapped("<" if sys.byteorder == "little" else ">")
    header.extensions[:] = []
    header.set_data_dtype(layout.dtype)
    header.set_data_shape(layout.shape[::-1])
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    if not of_nifti and layout.voxel_size is not None:
        header.set_xyzt_units("micron")
        header.set_zooms([_MICROMETRES * size for size in layout.voxel_size[::-1][: len(layout.shape)]])
    header.set_data_offset(header.single_vox_offset)
    with path.open("wb") as file:
        header.write_to(file)
        file.truncate(header.get_data_offset() + layout.dtype.itemsize * prod(layout.shape))
    return int(header.get_data_offset())


def make_mrc(path: Path, layout: Layout) -> int:
    """A volume, or a stack of images where sections were predicted one by one."""
    import mrcfile

    mode = mrcfile.utils.mode_from_dtype(layout.dtype)
    with mrcfile.new_mmap(path, layout.shape, mode, overwrite=True) as file:
        if layout.rank == 2 and len(layout.shape) == 3:
            file.set_image_stack()
        if layout.voxel_size is not None:
            file.voxel_size = tuple(_ANGSTROM * size for size in layout.voxel_size[::-1])
        return int(file.header.nbytes + file.extended_header.nbytes)
