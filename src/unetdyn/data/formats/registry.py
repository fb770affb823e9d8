"""From a path to a `Volume`: which reader an extension has, and what is said where its package is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.formats.hdf5 import open_hdf5
from unetdyn.data.formats.mrc import open_mrc
from unetdyn.data.formats.nifti import open_nifti
from unetdyn.data.formats.nrrd_file import open_nrrd
from unetdyn.data.formats.numpy_files import open_npy, open_npz
from unetdyn.data.formats.volume import Asked, Volume, sections_of
from unetdyn.data.formats.zarr_store import open_zarr
from unetdyn.data.refused import RefusedFile

SEPARATOR = "::"
INSTALL = "pip install 'unetdyn[formats]'"


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
        name: As people call it.
        package: What must be installed to read it, or `None`.
        open: Its reader.
        holds_several: Whether a file may hold several arrays, so that `file::name` names one.
        says_axes: Whether the format itself fixes what each axis is.
        on_disk: Whether parts of it are read without reading all of it.
        describes: Whether it may say how large a voxel is.
        oriented: Whether it may say where its axes lead in a body.
    """

    name: str
    package: str | None
    open: Callable[[Asked], Volume]
    holds_several: bool = False
    says_axes: bool = True
    on_disk: bool = True
    describes: bool = True
    oriented: bool = False


_MRC = Format("MRC", "mrcfile", open_mrc)
_NIFTI = Format("NIfTI", "nibabel", open_nifti, oriented=True)
_ZIPPED_NIFTI = Format("compressed NIfTI", "nibabel", open_nifti, on_disk=False, oriented=True)
_NRRD = Format("NRRD", "nrrd", open_nrrd, on_disk=False, oriented=True)
_HDF5 = Format("HDF5", "h5py", open_hdf5, holds_several=True, says_axes=False)
_ZARR = Format("Zarr", "zarr", open_zarr, holds_several=True, says_axes=False)
_NPY = Format("NumPy", None, open_npy, says_axes=False, describes=False)
_NPZ = Format("NumPy", None, open_npz, holds_several=True, says_axes=False, on_disk=False, describes=False)

FORMATS = {
    **dict.fromkeys((".mrc", ".mrcs", ".rec", ".st", ".map"), _MRC),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), _HDF5),
    ".nii": _NIFTI,
    ".nii.gz": _ZIPPED_NIFTI,
    **dict.fromkeys((".nrrd", ".nhdr"), _NRRD),
    ".zarr": _ZARR,
    ".npy": _NPY,
    ".npz": _NPZ,
}
"""By extension; of Zarr, of a folder."""

_ZARR_MARKERS = ("zarr.json", ".zgroup", ".zarray")
DOUBLE = (".nii.gz", ".ome.zarr", ".ome.tif", ".ome.tiff")


def array_in(path: Path) -> tuple[Path, str | None]:
    """A file and the array in it: `file.h5::/raw` → (`file.h5`, `/raw`); without a name, `None`.

    >>> array_in(Path("a/file.h5::/volumes/raw"))[1], array_in(Path("a/file.h5"))[1]
    ('/volumes/raw', None)
    """
    text, separator, name = str(path).partition(SEPARATOR)
    return Path(text), name.replace("\\", "/") if separator else None


def is_one_source(path: Path) -> bool:
    """Whether it is a file, or a folder that is a Zarr store; a name after `::` doesn't matter."""
    file = array_in(path)[0]
    return file.is_file() or (file.is_dir() and format_of(file) is _ZARR)


def _is_store(folder: Path) -> bool:
    return any((folder / marker).is_file() for marker in _ZARR_MARKERS)


def format_of(path: Path) -> Format | None:
    """The format by the extension, or of a Zarr store by what is in it; `None` where it is none of these."""
    file = array_in(path)[0]
    by_name = next((kind for ending, kind in FORMATS.items() if file.name.lower().endswith(ending)), None)
    return _ZARR if by_name is None and _is_store(file) else by_name


def stem_of(path: Path) -> str:
    """The file's name without its extension, whichever of these it is, or its last.

    >>> stem_of(Path("brain.nii.gz")), stem_of(Path("cells.ome.zarr")), stem_of(Path("a.h5::/raw"))
    ('brain', 'cells', 'a')
    """
    file = array_in(path)[0]
    double = next((ending for ending in DOUBLE if file.name.lower().endswith(ending)), "")
    return file.name[: -len(double)] if double else file.stem


def open_volume(path: Path, axes: str | None = None) -> Volume:
    """Open a file of one of these formats.

    Args:
        path: The file, or `file::name` for one array of a file that holds several.
        axes: A letter for each axis, only where the format does not say it.

    Raises:
        ImportError: Where the format's package is not installed; the message names it and what installs it.
        RefusedFile: Where the file is no whole file of its format, or what it holds can't be read as sections.
    """
    file, name = array_in(path)
    kind = format_of(path)
    assert kind is not None  # asked before
    if name is not None and not kind.holds_several:
        raise RefusedFile(
            f"`path` must name an array by `{SEPARATOR}` only in HDF5, Zarr and .npz files. Received: {str(path)!r}, a "
            f"{kind.name} file, which holds one. Leave `{SEPARATOR}{name}` out."
        )
    if kind.says_axes:
        check_no_axes(path, axes, kind.name)
    package = _package(kind, file)
    with whole(kind.name, file):
        return kind.open(Asked(file, name, axes, package))


def check_no_axes(path: Path, axes: str | None, kind: str = "image") -> None:
    """Refuse `axes` for what says itself what its axes are."""
    if axes is not None:
        raise RefusedFile(
            f"`axes` must be left out for {kind} files, which say themselves what their axes are. "
            f"Received: axes={axes!r} for {str(path)!r}."
        )


def volume_pages(path: Path, mask: bool = False, axes: str | None = None) -> list[np.ndarray]:
    """The sections of a file in memory, each `(height, width, channels)`; arguments and errors of `open_volume`.

    `mask=True` refuses labels that would become one in `float32`, and an image that would lose its contrast there is
    refused as well.
    """
    volume = open_volume(path, axes)
    kind = format_of(path)
    assert kind is not None
    with whole(kind.name, path):
        volume = replace(volume, array=np.asarray(volume.array[(slice(None),) * len(volume.axes)]))
    return list(sections_of(volume, path, mask))


@contextmanager
def whole(kind: str, file: Path) -> Iterator[None]:
    """Turn whatever a reader raises into one sentence: each has errors of its own for a file that is damaged."""
    try:
        yield
    except RefusedFile:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"  # some say it in several lines
        if isinstance(error, MemoryError):
            raise RefusedFile(
                f"`path` must be a file that fits into memory. Received: path={str(file)!r}, a file of the kind {kind} "
                f"({why}). `read_folder` and `read_volume` leave it on disk with `lazy=True`; or is its size damaged?"
            ) from error
        raise RefusedFile(
            f"`path` must be a whole {kind} file, but {str(file)!r} cannot be read ({why}). "
            f"Received: path={str(file)!r}. Is it cut short, or of another format than its extension says?"
        ) from error


def _package(kind: Format, file: Path) -> Any:
    if kind.package is None:
        return None
    try:
        return import_module(kind.package)
    except ImportError as error:
        distribution = {"nrrd": "pynrrd"}.get(kind.package, kind.package)
        raise ImportError(
            f"Reading {kind.name} files needs the package {distribution!r}, which can't be imported ({error}). "
            f"Received: path={str(file)!r}. Install the readers of further formats: {INSTALL}",
            name=kind.package,
        ) from error
