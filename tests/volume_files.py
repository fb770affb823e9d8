"""One array in each format that holds volumes, written by the formats' own libraries."""

import h5py
import mrcfile
import nibabel
import nrrd
import numpy as np
import tifffile
import zarr


def volume(sections=3, height=4, width=5, dtype="uint8", seed=0):
    """Values that are all different in small volumes: an axis in the wrong place or order shows."""
    return (
        np.random.default_rng(seed)
        .permutation(sections * height * width)
        .reshape(sections, height, width)
        .astype(dtype)
    )


def _mrc(path, array):
    mrcfile.write(path, array.astype("uint16"))


def _hdf5(path, array):
    with h5py.File(path, "w") as file:
        file["raw"] = array


def _nifti(path, array):
    nibabel.save(nibabel.Nifti1Image(array.T, np.eye(4)), path)


def _nrrd(path, array):
    nrrd.write(str(path), array.T)


def _zarr(path, array):
    zarr.save_array(str(path), array)


def _tiff(path, array):
    tifffile.imwrite(path, array, photometric="minisblack", compression="zlib")


WRITERS = {
    "a.mrc": _mrc,
    "a.h5": _hdf5,
    "a.nii": _nifti,
    "a.nii.gz": _nifti,
    "a.nrrd": _nrrd,
    "a.zarr": _zarr,
    "a.npy": np.save,
    "a.npz": np.savez,
    "a.tif": _tiff,
}
"""File name → `write(path, array)` of `(sections, height, width)`."""

PACKAGES = {"a.mrc": "mrcfile", "a.h5": "h5py", "a.nii": "nibabel", "a.nrrd": "nrrd", "a.zarr": "zarr"}
"""What reads it."""
