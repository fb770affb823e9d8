"""One file in, arrays out: PNG, TIFF (also multi-page) and JPEG, and what `formats` reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.formats.registry import (
    FORMATS,
    SEPARATOR,
    check_no_axes,
    format_of,
    is_one_source,
    named,
    stem_of,
    volume_pages,
)
from unetdyn.data.formats.tiff_file import check_whole, without_repeats
from unetdyn.data.formats.volume import RefusedError

IMAGES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
EXTENSIONS = (*IMAGES, *FORMATS)
_TIFF = (".tif", ".tiff")
_NOT_IMAGES = {".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".log", ".ini", ".db", ".html", ".pdf"}
# What tifffile decodes without the imagecodecs package: none, packbits, the two deflates, LZMA.
_TIFFFILE_COMPRESSIONS = {1, 32773, 8, 32946, 34925}
_MINISWHITE, _PALETTE = 0, 3
_ALPHA = {1, 2}


def read_image(path: str | Path) -> np.ndarray:
    """One image of shape `(height, width, channels)`, in the file's own depth.

    8-bit files give `uint8`, 16-bit files `uint16`, 1-bit files `uint8` with values 0 and 1, floating point files
    `float32`; other integers become `float32`. A palette is replaced by its colours; an alpha channel is dropped,
    because transparency is no measurement. A TIFF whose zero means white is turned round, so that larger is brighter.

    Args:
        path: A `.png`, `.tif`, `.tiff`, `.jpg` or `.jpeg` file with one page, or a file of another format that
            `read_stack` reads, with one section.

    Returns:
        Array of shape `(height, width, channels)`.

    Raises:
        FileNotFoundError: Where there is no such file.
        ImportError: Where the format needs a package that is not installed; the message says how to install it.
        ValueError: Where the extension is not one of those above, the file cannot be read or has several pages.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from PIL import Image
        >>> from unetdyn.data import read_image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "section.png"
        ...     Image.fromarray(np.full((2, 3), 7, "uint8")).save(path)
        ...     image = read_image(path)
        >>> image.shape, str(image.dtype), int(image.max())
        ((2, 3, 1), 'uint8', 7)
    """
    pages = read_pages(Path(path))
    if len(pages) != 1:
        raise ValueError(
            f"`path` must be a file with one page, but {str(path)!r} holds {len(pages)}. "
            f"Received: path={str(path)!r}. Read it with `read_stack`."
        )
    return pages[0]


def read_stack(path: str | Path, axes: str | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """All sections of a folder, of a multi-page TIFF or of a volume, in their natural order (2 before 10).

    Beside PNG, TIFF and JPEG it reads, with the extra `unetdyn[formats]`, MRC (`.mrc`, `.mrcs`, `.rec`, `.st`, `.map`),
    HDF5 (`.h5`, `.hdf5`, `.hdf`), NIfTI (`.nii`, `.nii.gz`), NRRD (`.nrrd`, `.nhdr`) and Zarr (`.zarr`, of OME-Zarr the
    finest level), and without it `.npy` and `.npz`. `docs/formats.md` says what is read of each.

    Args:
        path: A folder of image files, or one file with one or more pages. In a folder, hidden files, sub-folders and
            files that are plainly no images (`.txt`, `.csv`, `.json`, ...) are passed over. Of HDF5, Zarr and `.npz`
            an array is named by `file.h5::/path`, for all files of a folder by `folder::/path`; where that is left out,
            there must be one of 2 to 4 dimensions.
        axes: For HDF5, Zarr, `.npy` and `.npz`, a letter for each axis: z, y, x, c for channels. Default `None`: what
            the file says, else `"yx"`, `"zyx"`, or `"yxc"` and `"zyxc"` where the last axis is at most 4 long.

    Returns:
        images: Array of shape `(sections, height, width, channels)`, in the dtype `read_image` describes.
        names: The files' stems; the pages of a multi-page file are `stem[0]`, `stem[1]`, ...

    Raises:
        FileNotFoundError: Where there is no such folder or file; the message says what is there instead.
        ImportError: Where a format needs a package that is not installed; the message says how to install it.
        ValueError: Where the folder holds no images or one of a format that is not read, a file cannot be read, or
            the images differ in size or dtype.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from PIL import Image
        >>> from unetdyn.data import read_stack
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("10", "9"):
        ...         Image.fromarray(np.zeros((4, 4), "uint8")).save(pathlib.Path(folder) / f"{name}.png")
        ...     images, names = read_stack(folder)
        >>> images.shape, names
        ((2, 4, 4, 1), ('9', '10'))
    """
    pages = read_named(Path(path), axes=axes)
    check_alike(pages)
    return np.stack(list(pages.values())), tuple(pages)


def read_named(
    path: Path, mask: bool = False, axes: str | None = None, read: Callable[..., list[Any]] | None = None
) -> dict[str, Any]:
    """Every page of a file or of a folder's files by name, in natural order; `mask=True` keeps palette indices.

    Pages are what `read` gives: by default `read_pages`, so arrays.
    """
    of_name: dict[str, Any] = {}
    for file in list_images(path):
        pages, stem = (read or read_pages)(file, mask, axes), stem_of(file)
        names = [stem] if len(pages) == 1 else [f"{stem}[{page}]" for page in range(len(pages))]
        for name, page in zip(names, pages, strict=True):
            if name in of_name:
                raise ValueError(
                    f"`path` holds two images of the name {name!r}, and masks are paired by name. "
                    f"Received: path={str(path)!r}. Rename or remove one."
                )
            of_name[name] = page
    return of_name


def list_images(path: Path) -> list[Path]:
    """The image files of a folder in natural order, or the file itself; an array that is named stays named."""
    folder, name = named(path)
    if not folder.exists():
        raise FileNotFoundError(
            f"`path` must be a folder of images or an image file. Received: path={str(path)!r}, "
            f"which does not exist; {describe_nearest(folder)}."
        )
    if is_one_source(path):
        return [path]
    files = [f for f in folder.iterdir() if is_one_source(f) and not f.name.startswith(".")]
    files = [f for f in files if f.suffix.lower() not in _NOT_IMAGES]
    for file in files:
        _check_extension(file)
    if not files:
        raise ValueError(
            f"`path` must hold at least one image. Received: path={str(path)!r}, a folder without any file of "
            f"the extensions that are read: {', '.join(EXTENSIONS)}."
        )
    files = without_repeats(sorted(files, key=lambda file: _natural(file.name)))
    return files if name is None else [Path(f"{file}{SEPARATOR}{name}") for file in files]


def read_pages(path: Path, mask: bool = False, axes: str | None = None) -> list[np.ndarray]:
    """The pages of one file, each of shape `(height, width, channels)`; `mask=True` keeps palette indices."""
    if not is_one_source(path):
        raise FileNotFoundError(
            f"`path` must be an image file. Received: path={str(path)!r}, which is not one; {describe_nearest(path)}."
        )
    _check_extension(path)
    if format_of(path) is not None:
        return volume_pages(path, axes)
    check_no_axes(path, axes)
    from PIL import UnidentifiedImageError
    from tifffile import TiffFileError

    try:
        pages = _tiff_pages(path, mask) if path.suffix.lower() in _TIFF else _pillow_pages(path, mask)
    except RefusedError:
        raise
    except (UnidentifiedImageError, TiffFileError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"`path` must be a whole image file, but {str(path)!r} cannot be read ({error}). "
            f"Received: path={str(path)!r}. Is it cut short, or of another format than its extension says?"
        ) from error
    return [_standard(page) for page in pages]


def describe_nearest(path: Path) -> str:
    """What is where `path` was looked for: the nearest folder that exists and what it holds."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    held = sorted((entry.name for entry in folder.iterdir() if not entry.name.startswith(".")), key=_natural)
    return f"the folder {str(folder)!r} holds {list_some(held)}"


def list_some(names: list[str], most: int = 10) -> str:
    """At most `most` names in quotes, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most]) or "nothing"
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def check_alike(named: dict[str, np.ndarray]) -> None:
    """Refuse images that differ in size, channels or dtype from the first one."""
    (first, model), *rest = named.items()
    for name, image in rest:
        if (image.shape, image.dtype) != (model.shape, model.dtype):
            raise ValueError(
                f"All images must have one size and depth. Received: {first!r} of {describe(model)}, but {name!r} of "
                f"{describe(image)}. Crop or convert them to one form."
            )


def describe(image: np.ndarray) -> str:
    """Size, channels and dtype in words."""
    height, width, channels = image.shape
    return f"{height}×{width} pixels, {channels} channel{'s' * (channels > 1)}, {image.dtype}"


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]


def _check_extension(path: Path) -> None:
    if path.suffix.lower() not in IMAGES and format_of(path) is None:
        raise ValueError(
            f"`path` must lead to images of the extensions {', '.join(EXTENSIONS)}. Received: {str(path)!r}. "
            f"Convert that file, or move it out of the folder if it is no image."
        )


def _standard(page: np.ndarray) -> np.ndarray:
    if page.ndim == 2:
        page = page[..., np.newaxis]
    if page.dtype == np.bool_:
        page = page.astype(np.uint8)
    if page.dtype not in (np.uint8, np.uint16):
        page = page.astype(np.float32)
    return np.ascontiguousarray(page)


def _pillow_pages(path: Path, mask: bool) -> list[np.ndarray]:
    from PIL import Image, ImageSequence

    with Image.open(path) as file:
        return [_pillow_page(page, mask) for page in ImageSequence.Iterator(file)]


def _pillow_page(page, mask: bool) -> np.ndarray:  # type: ignore[no-untyped-def]
    if page.mode in ("P", "PA"):
        return np.asarray(page if page.mode == "P" and mask else page.convert("RGB"))
    array = np.asarray(page)
    return array[..., :-1] if page.mode in ("LA", "RGBA") else array


def _tiff_pages(path: Path, mask: bool) -> list[np.ndarray]:
    from tifffile import TiffFile

    with TiffFile(path) as file:
        check_whole(file.series, path)
        page = file.pages.first
        if page.compression not in _TIFFFILE_COMPRESSIONS:
            return _pillow_pages(path, mask)
        pages = [image for series in file.series for image in _series_pages(series.asarray(), series.axes)]
        if page.photometric == _MINISWHITE:
            pages = [_inverted(image) for image in pages]
        if page.photometric == _PALETTE and not mask:
            # A TIFF palette holds 16-bit colours: their upper byte is the 8-bit colour.
            pages = [np.moveaxis(page.colormap[:, image[..., 0]] >> 8, 0, -1).astype(np.uint8) for image in pages]
        alphas = sum(int(kind) in _ALPHA for kind in page.extrasamples)
    return [image[..., : image.shape[-1] - alphas] for image in pages]


def _series_pages(array: np.ndarray, axes: str) -> list[np.ndarray]:
    """Pages of shape `(height, width, channels)`; every axis but Y, X, S (samples) and C (channels) counts pages."""
    channels = [axes.index(axis) for axis in "CS" if axis in axes]
    last = [axes.index("Y"), axes.index("X"), *channels]
    order = [axis for axis in range(array.ndim) if axis not in last] + last
    height, width = array.shape[last[0]], array.shape[last[1]]
    depth = int(np.prod([array.shape[axis] for axis in channels], dtype=int))
    return list(array.transpose(order).reshape(-1, height, width, depth))


def _inverted(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.bool_:
        return ~image
    return np.iinfo(image.dtype).max - image if np.issubdtype(image.dtype, np.unsignedinteger) else image
