"""One file in, arrays out: which reader reads it, and what images must have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unetdyn.data.depth import standard_dtype
from unetdyn.data.formats.registry import FORMATS, check_no_axes, format_of, is_one_source, volume_pages, whole
from unetdyn.data.pictures import read_picture
from unetdyn.data.tiff import read_tiff

# All that has to be edited for another format of images: extension -> reader of `(path, mask)`, which returns pages of
# shape `(height, width, channels)` in the file's own dtype. What it needs is imported inside it, not at the top of its
# file. Volumes are in formats/registry.py.
READERS: dict[str, Callable[[Path, bool], list[np.ndarray]]] = {
    ".png": read_picture,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".jpg": read_picture,
    ".jpeg": read_picture,
    ".gif": read_picture,
    ".bmp": read_picture,
}
EXTENSIONS = (*READERS, *FORMATS)


def read_image(path: str | Path) -> np.ndarray:
    """One image of shape `(height, width, channels)`, in the file's own depth, as a viewer shows it.

    8-bit files give `uint8`, 16-bit files `uint16`, 1-bit files `uint8` with values 0 and 1, floating point files
    `float32`; other integers become `float32`, unless that would lose differences. 2 and 4 bits are stretched to 8, 10
    to 14 bits keep their values. A palette is replaced by its colours; an alpha channel is dropped, because
    transparency is no measurement. A TIFF whose zero means white is turned round, so that larger is brighter. The EXIF
    orientation of a PNG or JPEG is applied. What can be read in two ways is refused; docs/image_files.md lists it all.

    Args:
        path: A `.png`, `.tif`, `.tiff`, `.jpg`, `.jpeg`, `.gif` or `.bmp` file with one page, or a file of another
            format that `read_stack` reads, with one section.

    Returns:
        Array of shape `(height, width, channels)`.

    Raises:
        FileNotFoundError: Where there is no such file.
        ImportError: Where the format needs a package that is not installed; the message says how to install it.
        ValueError: Where the extension is not one of those above, the file cannot be read, can be read in more than
            one way or has several pages.

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


def read_pages(path: Path, mask: bool = False, axes: str | None = None) -> list[np.ndarray]:
    """The pages of one file, each of shape `(height, width, channels)`; `mask=True` keeps what can be class indices."""
    return [page.astype(np.uint8) if page.dtype == np.bool_ else page for page in pages_with_bits(path, mask, axes)]


def pages_with_bits(path: Path, mask: bool = False, axes: str | None = None) -> list[np.ndarray]:
    """What `read_pages` returns, but booleans where a file has one bit, for `one_bit_as_the_others`."""
    if not is_one_source(path):
        raise FileNotFoundError(
            f"`path` must be an image file. Received: path={str(path)!r}, which is not one; {describe_nearest(path)}."
        )
    check_extension(path)
    if format_of(path) is not None:
        return volume_pages(path, mask, axes)
    check_no_axes(path, axes)
    with whole("image", path):
        pages = READERS[path.suffix.lower()](path, mask)
        return [np.ascontiguousarray(standard_dtype(page, path, mask)) for page in pages]


def describe_nearest(path: Path) -> str:
    """What is where `path` was looked for: the nearest folder that exists and what it holds."""
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    held = sorted((entry.name for entry in folder.iterdir() if not entry.name.startswith(".")), key=natural)
    return f"the folder {str(folder)!r} holds {list_some(held)}"


def list_some(names: list[str], most: int = 10) -> str:
    """At most `most` names in quotes, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most]) or "nothing"
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def one_bit_as_the_others(named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Images of one bit as 0 and 1, but as 0 and 255 among grey levels: programs save what is black or white so."""
    among_grey = any(page.dtype != np.bool_ and page.max() > 1 for page in named.values())
    white = np.uint8(255 if among_grey else 1)
    return {name: page * white if page.dtype == np.bool_ else page for name, page in named.items()}


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


def natural(name: str) -> list[tuple[int, int, str]]:
    """The key that sorts names as people number them: 2 before 10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]


def is_read(path: Path) -> bool:
    """Whether there is a reader for it, by its extension, or of a Zarr store by what is in it."""
    return path.suffix.lower() in READERS or format_of(path) is not None


def check_extension(path: Path) -> None:
    """Refuse a file whose extension is none that is read."""
    if not is_read(path):
        raise ValueError(
            f"`path` must lead to images of the extensions {', '.join(EXTENSIONS)}. Received: {str(path)!r}. "
            f"Convert that file, or move it out of the folder if it is no image."
        )
