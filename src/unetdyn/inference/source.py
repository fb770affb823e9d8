"""What is predicted on: a file, or anything with a shape and slices, as sections that stay where they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn import data
from unetdyn.data.files import check_extension, describe_nearest, read_pages
from unetdyn.data.formats.registry import is_one_source
from unetdyn.data.formats.volume import Volume, VoxelSize, guessed_axes, sections_of
from unetdyn.data.lazy import LazyArray
from unetdyn.data.refused import RefusedFile
from unetdyn.data.sources import described, joined_pages, lazy_pages
from unetdyn.data.stack import check_finite
from unetdyn.runs.input_recipe import Normalise

_CORNER = 64  # pixels of the windows that tell one source from another


@dataclass(frozen=True)
class Source:
    """Sections to predict.

    Attributes:
        sections: `(sections, height, width, channels)`, read when they are used.
        has_z: Whether the result has an axis of sections.
        voxel_size: (z, y, x) in nanometres, or None.
        path: Of the file, or None.
    """

    sections: LazyArray
    has_z: bool
    voxel_size: VoxelSize | None = None
    path: Path | None = None

    def sample(self) -> str:
        """A hash of two corners: another image of the same shape has another one."""
        last, height, width, _ = self.sections.shape
        corner = slice(max(height - _CORNER, 0), height), slice(max(width - _CORNER, 0), width)
        first = slice(0, min(height, _CORNER)), slice(0, min(width, _CORNER))
        parts = [self.sections.read(0, 1, first), self.sections.read(last - 1, last, corner)]
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def open_source(source: Any, axes: str | None) -> Source:
    """A file, an array, or anything with `shape`, `dtype` and slices.

    Args:
        source: As `predict_tiled` takes it.
        axes: A letter for each axis where that is not said, or None.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is nothing of the kind.
        ValueError: If its axes can't be told, or the file can't be read.
    """
    if isinstance(source, str | Path):
        return _of_file(Path(source), axes)
    if isinstance(source, LazyArray):
        return Source(source, has_z=True)
    try:
        shape, dtype = tuple(int(side) for side in source.shape), np.dtype(source.dtype)
    except (AttributeError, TypeError) as error:
        raise TypeError(
            "`source` must be the path of an image or a volume, or anything with `shape`, `dtype` and slices: a NumPy "
            f"array, a memory map, a Zarr or HDF5 array. Received: a {type(source).__name__}."
        ) from error
    if dtype.kind not in "biuf":
        raise TypeError(f"`source` must hold real numbers. Received: an array of dtype {dtype}.")
    told = axes if axes is not None else guessed_axes(shape, "an array")
    if len(told) != len(shape) or len(set(told)) < len(told):
        raise ValueError(
            "`axes` must have one letter for each axis of `source`, each once: z, y, x, c for channels. "
            f"Received: axes={axes!r} for the shape {shape}."
        )
    return Source(sections_of(Volume(source, told), Path("an array")), has_z="z" in told)


def _of_file(path: Path, axes: str | None) -> Source:
    if not is_one_source(path):
        raise FileNotFoundError(
            f"`source` must be one file, or a Zarr folder. Received: source={str(path)!r}, which is not there, or a "
            f"folder of files; {describe_nearest(path)}."
        )
    check_extension(path)
    try:
        sections = joined_pages(lazy_pages(path, axes=axes))
    except RefusedFile:  # of some files no part can be read without all of it
        sections = LazyArray.of(np.stack(read_pages(path, axes=axes)))
    return Source(sections, len(sections) > 1, described(path, axes)[0], path)


def normalised(sections: LazyArray, how: Normalise) -> LazyArray:
    """As in training, in `float32`, when it is read; statistics of a section are taken some rows at a time.

    Args:
        sections: `(sections, height, width, channels)`.
        how: As in `InputRecipe`.

    Raises:
        ValueError: If mean and deviation are those of another number of channels; and when it is read, where the
            sections hold NaN or infinity, or leave [0, 1] with `"unit"`.
    """
    if how in ("per_image", "unit"):
        return data.normalise(sections, str(how))
    channels = sections.shape[-1]
    mean, deviation = (0.0, 1.0) if isinstance(how, str) else how
    if {len(np.atleast_1d(mean)), len(np.atleast_1d(deviation))} - {1, channels}:
        raise ValueError(
            f"`normalise` must have one mean and one deviation for each of the {channels} channels of `source`, or one "
            f"for all. Received: normalise={how!r}."
        )

    def standardised(index: int, part: np.ndarray) -> np.ndarray:
        check_finite(part[np.newaxis], [str(index)])
        return part.astype(np.float32) if how == "none" else ((part - np.asarray(mean)) / deviation).astype(np.float32)

    return sections.map(standardised, np.float32, channels)
