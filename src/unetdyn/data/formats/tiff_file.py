"""TIFF beyond its pixels: sets of several OME files, the size of voxels, and pages that stay on disk."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import finalize
from xml.etree import ElementTree

import numpy as np

from unetdyn.data.formats.volume import Volume, VoxelSize, nanometres, voxel_size
from unetdyn.data.refused import RefusedFile
from unetdyn.data.tiff import refuse_sizes, refuse_turned
from unetdyn.data.tiff_whole import PLAIN, errors_of_tifffile, is_beside, refuse_missing, refuse_unfit_description

ENDINGS = (".tif", ".tiff")
_MINISBLACK, _RGB = 1, 2
_JPEG = {6, 7}
_OF_ONE_SET = re.compile(r'FileName="([^"]+)"')
_DECODING = threading.RLock()  # tifffile seeks and reads without one, and a set's files are opened and closed
if hasattr(os, "register_at_fork"):  # a child would wait for a thread of its parent
    os.register_at_fork(before=_DECODING.acquire, after_in_parent=_DECODING.release, after_in_child=_DECODING.release)


def is_tiff(path: Path) -> bool:
    """By its extension."""
    return path.suffix.lower() in ENDINGS


def without_repeats(files: Sequence[Path]) -> list[Path]:
    """The files, but of an OME-TIFF in several files only the first one: opening it opens them all."""
    kept: list[Path] = []
    seen: set[Path] = set()
    for file in files:
        if file not in seen:
            kept.append(file)
            seen |= {file.parent / name for name in _names_of_set(file)}
    return kept


def pages_of_tiff(path: Path) -> int:
    """How many pages `read_tiff` would give, without decoding any; 0 where it can't be told."""
    from tifffile import TiffFile

    count = 0
    with contextlib.suppress(Exception), errors_of_tifffile(), TiffFile(path) as file:
        series = [one for one in file.series if not is_beside(one.keyframe)]
        count = sum(int(np.prod(one.shape, dtype=int)) // one.keyframe.size for one in series)
    return count


def voxel_size_of_tiff(path: Path) -> VoxelSize | None:
    """As OME-XML or ImageJ wrote it; the resolution of a print, in dots per inch, is no size of a voxel."""
    from tifffile import TiffFile

    with contextlib.suppress(Exception), TiffFile(path) as file:  # who can't be read here is refused when it is read
        if file.ome_metadata:
            return _ome_size(file.ome_metadata)
        if file.imagej_metadata:
            return _imagej_size(file)
    return None


def open_tiff(path: Path, mask: bool = False) -> Volume:
    """Pages that stay on disk: mapped where they lie one after the other, else decoded one by one.

    Raises:
        RefusedFile: Where pages differ, or need more than decoding, such as a palette, or in a mask those of JPEG.
    """
    from tifffile import TiffFile, memmap

    with contextlib.ExitStack() as opened:
        file = opened.enter_context(TiffFile(path))
        with errors_of_tifffile():
            series, axes = _plain_series(file, path, mask)
        if series.dataoffset is None or path.stat().st_size < series.dataoffset + series.nbytes:
            pages = _paged(file, series, axes, path)
            opened.pop_all()  # the pages close it when they go
            return Volume(pages, axes)
    return Volume(memmap(path, series=0, mode="r"), axes)


def _plain_series(file: Any, path: Path, mask: bool) -> tuple[Any, str]:
    """The only series and its axes, in our letters."""
    refuse_unfit_description(file, path)
    series = file.series[0]
    refuse_missing(series, file, path)
    _check_each_page(series, path)
    page = series.keyframe
    plain = page.tags.valueof("PhotometricInterpretation") in (_MINISBLACK, _RGB) and not page.extrasamples
    plain &= page.bitspersample == 8 * page.dtype.itemsize and not is_beside(page)
    plain &= not (mask and page.compression in _JPEG)
    axes = "".join({"S": "c", "C": "c", "Y": "y", "X": "x"}.get(axis, "z") for axis in series.axes)
    if len(file.series) > 1 or not plain or len(set(axes)) < len(axes):
        raise RefusedFile(
            "With `lazy=True` a TIFF must be one series of grey or RGB pages of whole bytes with at most one axis "
            f"beside y, x and channels. Received: {str(path)!r} with {len(file.series)} series of the axes "
            f"{series.axes!r}, {page.bitspersample} bits, photometric {page.photometric}. Save it as grey values, "
            "or read it without `lazy=True`."
        )
    return series, axes


def _paged(file: Any, series: Any, axes: str, path: Path) -> _Pages:
    in_front = len(series.shape) - len(series.keyframe.shape)
    if axes[:in_front] not in ("z", "") or len(series.pages) != int(np.prod(series.shape[:in_front], dtype=int)):
        raise RefusedFile(
            f"With `lazy=True` each page of a compressed TIFF must be a section. Received: {str(path)!r} with the axes "
            f"{series.axes!r} of shape {series.shape}. Save it uncompressed, or read it without `lazy=True`."
        )
    file.filehandle.set_lock(True)
    return _Pages(file, series)


class _Pages:
    """Pages decoded when they are asked for; the last one is kept, because tiles of it are asked for one by one."""

    def __init__(self, file: Any, series: Any) -> None:
        self.series, self.shape = series, tuple(series.shape)
        self.has_z = self.shape != tuple(series.keyframe.shape)
        finalize(self, file.close)
        self.last: tuple[int, np.ndarray] | None = None

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        if not self.has_z:
            return self._page(0)[key]
        planes, *window = key
        return np.stack([self._page(index)[tuple(window)] for index in range(*planes.indices(self.shape[0]))])

    def _page(self, index: int) -> np.ndarray:
        with _DECODING:
            if self.last is None or self.last[0] != index:
                page = self.series.pages[index]
                with _opened(page.parent.filehandle):
                    self.last = index, np.asarray(page.asarray())
            return self.last[1]


@contextlib.contextmanager
def _opened(handle: Any) -> Iterator[None]:
    """tifffile closes the further files of a set once it knows what is in them."""
    closed = handle.closed
    if closed:
        handle.open()
    try:
        yield
    finally:
        if closed:
            handle.close()


def _names_of_set(path: Path) -> list[str]:
    """The files of the OME-TIFF that this file belongs to, by name; none where it is not one of several."""
    if not is_tiff(path):
        return []
    from tifffile import TiffFile

    with contextlib.suppress(Exception), TiffFile(path) as file:
        names = list(dict.fromkeys(_OF_ONE_SET.findall(file.ome_metadata or "")))
        return names if len(names) > 1 else []
    return []


def _check_each_page(series: Any, path: Path) -> None:
    """Pages have tags of their own, unless one description tells of all; the series has those of the first only."""
    from tifffile import TiffFile

    refuse_turned(series.keyframe, path)
    if series.kind in PLAIN:
        with TiffFile(path) as again:
            pages = [page for page in again.pages if not is_beside(page)]
        for page in pages:
            refuse_turned(page, path)
        refuse_sizes({(page.imagelength, page.imagewidth) for page in pages}, path)


def _ome_size(xml: str) -> VoxelSize | None:
    for element in ElementTree.fromstring(xml).iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            sizes = [float(element.get(f"PhysicalSize{axis}", 0)) for axis in "ZYX"]
            units = [nanometres(element.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"]
            return voxel_size(sizes, units)
    return None


def _imagej_size(file: Any) -> VoxelSize | None:
    """ImageJ keeps pixels a unit in the resolution tags, and the distance of sections as `spacing`."""
    metadata, tags = file.imagej_metadata or {}, file.pages.first.tags
    unit = nanometres(str(metadata.get("unit", "")))
    sizes = [float(metadata.get("spacing", 0)), *(_pixel(tags.get(f"{axis}Resolution")) for axis in "YX")]
    return voxel_size(sizes, [unit] * 3)


def _pixel(tag: Any) -> float:
    if tag is None or not tag.value[0]:
        return 0.0
    return float(tag.value[1] / tag.value[0])
