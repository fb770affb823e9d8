"""Any file as sections that stay on disk, and what it says of its voxels and of the body they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.files import pages_with_bits
from unetdyn.data.formats.registry import check_no_axes, format_of, open_volume, whole
from unetdyn.data.formats.tiff_file import is_tiff, open_tiff, pages_of_tiff, voxel_size_of_tiff
from unetdyn.data.formats.volume import VoxelSize, sections_of
from unetdyn.data.lazy import LazyArray, Window
from unetdyn.data.refused import RefusedFile

Rule = Callable[[np.ndarray, str], np.ndarray]


@dataclass(frozen=True)
class LazyPage:
    """One section on disk; `np.asarray(page)` reads it."""

    array: LazyArray
    index: int

    @property
    def shape(self) -> tuple[int, ...]:
        """`(height, width, channels)`."""
        return self.array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """Of its pixels."""
        return self.array.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        del copy
        return self.array[self.index].astype(dtype or self.dtype)


def lazy_pages(path: Path, mask: bool = False, axes: str | None = None) -> list[LazyPage]:
    """The pages of one file, on disk, where `pages_with_bits` has them in memory.

    Of arrays, MRC, NIfTI and plain TIFF, parts of a page are read; other files are decoded whole each time, so they
    must have one page.

    Raises:
        RefusedFile: Where parts of the file can't be read without reading all of it.
        ImportError: As in `open_volume`.
    """
    kind = format_of(path)
    if kind is not None:
        if not kind.on_disk:
            raise RefusedFile(
                "`lazy=True` needs files of which parts can be read: .npy, Zarr, HDF5, MRC, NIfTI that is not "
                f"compressed, TIFF, or one image a file. Received: {str(path)!r}, a {kind.name} file. Convert it, or "
                "leave `lazy=True` out."
            )
        volume = open_volume(path, axes)
        array = _guarded(lambda: sections_of(volume, path, mask), kind.name, path)
    else:
        check_no_axes(path, axes)
        array = _image_file(path, mask)
    return [LazyPage(array, index) for index in range(len(array))]


def joined_pages(pages: Sequence[LazyPage]) -> LazyArray:
    """Pages of any files, one after the other."""
    arrays = list({id(page.array): page.array for page in pages}.values())
    first = dict(zip(map(id, arrays), np.cumsum([0, *map(len, arrays[:-1])]), strict=True))
    found = LazyArray.joined(arrays).take([first[id(page.array)] + page.index for page in pages])
    return found.map(lambda _, part: part.astype(np.uint8), np.uint8, found.shape[-1]) if found.dtype == bool else found


def classified(pages: Sequence[LazyPage], names: Sequence[str], rules: Sequence[Rule]) -> list[LazyArray]:
    """Masks on disk by each of several rules, such as their class indices.

    Each mask is read once, to judge it by all of its values; what was found for each value is kept.

    Args:
        pages: The masks.
        names: For messages.
        rules: `rule(mask, name)` gives `(height, width, 1)` class indices, which depend on nothing but the values.
    """
    tables = [_tables(np.asarray(page), name, rules) for page, name in zip(pages, names, strict=True)]
    joined = joined_pages(pages)
    return [_looked_up(joined, [(values, by_rule[place]) for values, by_rule in tables]) for place in range(len(rules))]


def described(path: Path, axes: str | None = None) -> tuple[VoxelSize | None, str | None]:
    """The size of a voxel, (z, y, x) in nanometres, and the orientation, such as `"RAS"`; `None` where not said."""
    kind = format_of(path)
    if kind is not None and kind.describes:
        volume = open_volume(path, axes)
        return volume.voxel_size, volume.orientation
    return (voxel_size_of_tiff(path) if is_tiff(path) else None), None


def check_orientations(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Refuse an image and a mask whose stored axes lead in other directions: one would be a mirror image."""
    for image, mask in pairs:
        if not (_is_oriented(image) and _is_oriented(mask)):
            continue
        of_image, of_mask = described(image)[1], described(mask)[1]
        if of_image and of_mask and of_image != of_mask:
            raise RefusedFile(
                "An image and its mask must be stored in the same orientation, or pixels don't belong together. "
                f"Received: {image.name!r} in {of_image}, but {mask.name!r} in {of_mask}. Bring both to one, for "
                "example by `nibabel.as_closest_canonical`."
            )


def _is_oriented(path: Path) -> bool:
    kind = format_of(path)
    return kind is not None and kind.oriented


def _looked_up(masks: LazyArray, tables: Sequence[tuple[np.ndarray, np.ndarray]]) -> LazyArray:
    def classes_of(index: int, part: np.ndarray) -> np.ndarray:
        values, classes = tables[index]
        return classes[np.searchsorted(values, part[..., :1])]

    found = masks.map(classes_of, np.uint8, 1)
    found.extremes = np.array([[classes.min(), classes.max()] for _, classes in tables])
    return found


def _tables(mask: np.ndarray, name: str, rules: Sequence[Rule]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The values of a mask, and what each rule makes of them."""
    classes = [rule(mask, name).ravel() for rule in rules]
    values = np.unique(mask[..., 0])
    places = np.searchsorted(values, mask[..., 0].ravel())
    return values, [_of_each_value(of_rule, places, len(values), name) for of_rule in classes]


def _of_each_value(classes: np.ndarray, places: np.ndarray, values: int, name: str) -> np.ndarray:
    found = np.zeros(values, np.uint8)
    found[places] = classes
    if (found[places] != classes).any():
        raise RefusedFile(
            f"With `lazy=True` the class of a pixel must follow from its value. Received: mask {name!r}, where pixels "
            "of one value belong to several classes. Leave `lazy=True` out."
        )
    return found


def _image_file(path: Path, mask: bool) -> LazyArray:
    if is_tiff(path):
        try:
            return _guarded(lambda: sections_of(open_tiff(path, mask), path, mask), "TIFF", path)
        except RefusedFile:
            if pages_of_tiff(path) > 1:
                raise
    return _decoded_each_time(path, mask)


def _guarded(opened: Callable[[], LazyArray], kind: str, path: Path) -> LazyArray:
    """Sections of a file that is damaged further on: whatever its reader raises then is one sentence, too."""
    with whole(kind, path):
        array = opened()

    def read(start: int, stop: int, window: Window) -> np.ndarray:
        with whole(kind, path):
            return array.read(start, stop, window)

    return LazyArray(array.shape, array.dtype, read)


def _decoded_each_time(path: Path, mask: bool) -> LazyArray:
    page = _decoded(path, mask, path.stat().st_mtime_ns)

    def read(start: int, stop: int, window: Window) -> np.ndarray:
        del start, stop  # there is one
        return _decoded(path, mask, path.stat().st_mtime_ns)[window][np.newaxis].copy()

    return LazyArray((1, *page.shape), page.dtype, read)


@lru_cache(maxsize=2)
def _decoded(path: Path, mask: bool, changed: int) -> np.ndarray:
    """The last image and the last mask are kept, because tiles of a section are asked for one by one."""
    del changed  # so that a file that was written anew is read anew
    pages = pages_with_bits(path, mask)
    if len(pages) != 1:
        raise RefusedFile(
            f"`lazy=True` needs one image a file, or a TIFF. Received: {str(path)!r} with {len(pages)} pages. "
            "Save it as TIFF, or leave `lazy=True` out."
        )
    return pages[0]
