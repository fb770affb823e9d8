"""A folder in, its image files out: every one of them, or one sentence that says why not."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.data.files import (
    EXTENSIONS,
    check_alike,
    check_extension,
    describe_nearest,
    is_read,
    list_some,
    natural,
    one_bit_as_the_others,
    pages_with_bits,
)
from unetdyn.data.formats.registry import SEPARATOR, array_in, is_one_source, stem_of
from unetdyn.data.formats.tiff_file import without_repeats

_TABLES = {".csv", ".tsv", ".xls", ".xlsx", ".ods"}
_NOT_IMAGES = {".txt", ".md", ".json", ".xml", ".yaml", ".yml", ".log", ".ini", ".db", ".html", ".pdf", *_TABLES}
# What systems put beside the files of their users; hidden files begin with a dot.
_OF_SYSTEMS = {"icon\r", "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
_FOLDERS_AS_FILES = {".n5"}  # and Zarr stores, which are read
_NOT_DOWNLOADED = ".icloud"


def read_stack(
    path: str | Path, recursive: bool | None = None, axes: str | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """All sections of a folder, of a multi-page TIFF or of a volume, in their natural order (2 before 10).

    They are read as `read_image` says, but 1-bit images among those with grey levels have the values 0 and 255.

    Volumes are, with the extra `unetdyn[formats]`, MRC (`.mrc`, `.mrcs`, `.rec`, `.st`, `.map`), HDF5 (`.h5`, `.hdf5`,
    `.hdf`), NIfTI (`.nii`, `.nii.gz`), NRRD (`.nrrd`, `.nhdr`) and Zarr (`.zarr`, of OME-Zarr the finest level), and
    without it `.npy` and `.npz`. docs/formats.md says what is read of each.

    Args:
        path: A folder of image files, or one file with one or more pages. In a folder, hidden files and files that are
            plainly no images (`.txt`, `.csv`, `.json`, ...) are passed over. Of HDF5, Zarr and `.npz` an array is named
            by `file.h5::/path`, for all files of a folder by `folder::/path`; where that is left out, there must be one
            of 2 to 4 dimensions.
        recursive: What is done with sub-folders that hold images. `True`: they are read too; `False`: they are passed
            over. Default `None`: they are refused, so that nothing is left out without a word.
        axes: For HDF5, Zarr, `.npy` and `.npz`, a letter for each axis: z, y, x, c for channels. Default `None`: what
            the file says, else `"yx"`, `"zyx"`, or `"yxc"` and `"zyxc"` where the last axis is at most 4 long.

    Returns:
        images: Array of shape `(sections, height, width, channels)`, in the dtype `read_image` describes.
        names: The files' stems, behind their sub-folder (`p01/s003`); the pages of a multi-page file are `stem[0]`,
            `stem[1]`, ...

    Raises:
        FileNotFoundError: Where there is no such folder or file; the message says what is there instead.
        ImportError: Where a format needs a package that is not installed; the message says how to install it.
        ValueError: Where the folder holds no images, images in sub-folders, or one of a format that is not read, a
            file cannot be read, two files have one name, or the images differ in size or dtype.

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
    named: dict[str, np.ndarray] = {}
    for name, file in name_files({"": Path(path)}, recursive).items():
        add_pages(named, name, pages_with_bits(file, axes=axes))
    named = one_bit_as_the_others(named)
    check_alike(named)
    return np.stack(list(named.values())), tuple(named)


def add_pages(named: dict[str, Any], name: str, pages: Sequence[Any]) -> None:
    """Put the pages of one file to the others: under its own name, or with several `name[0]`, `name[1]`, ..."""
    for number, page in enumerate(pages):
        own = name if len(pages) == 1 else f"{name}[{number}]"
        if own in named:
            raise ValueError(
                f"Each image must have a name of its own. Received: {own!r} twice, once as page {number} of {name!r}. "
                f"Rename one of these files."
            )
        named[own] = page


def name_files(
    sources: dict[str, Path], recursive: bool | None = None, apart: frozenset[Path] = frozenset()
) -> dict[str, Path]:
    """Every image file by its stem, in natural order; behind its sub-folder where it lies in one.

    Where a source names an array, `folder::/raw`, so does each of its files.

    A name is kept in Unicode's composed form (NFC): macOS hands out `ü` as `u` and two dots, others as one character,
    and both are one name to who reads them.

    Args:
        sources: Folders or files, under what goes before the names of what is in them: `{"": folder}` for one.
        recursive: As in `read_stack`.
        apart: Resolved sub-folders that belong to something else, such as the masks inside the images' folder.
    """
    named: dict[str, Path] = {}
    for before, source in sources.items():
        folder, array = array_in(source)
        for file in list_images(folder, recursive, apart):
            inside = Path(before) / (file.name if file == folder else file.relative_to(folder))
            name = unicodedata.normalize("NFC", inside.with_name(stem_of(file)).as_posix())
            if name in named:
                raise ValueError(
                    f"`path` holds two images of the name {name!r}, and masks are paired by name. Received: "
                    f"path={str(source)!r} with {_told_apart(named[name].name, file.name)}. Rename or remove one."
                )
            named[name] = file if array is None else Path(f"{file}{SEPARATOR}{array}")
    return {name: named[name] for name in sorted(named, key=lambda name: (natural(name), name))}


def list_images(path: Path, recursive: bool | None = None, apart: frozenset[Path] = frozenset()) -> list[Path]:
    """The image files of a folder and, where asked for, of its sub-folders, or the file itself."""
    if not path.exists():
        raise FileNotFoundError(
            f"`path` must be a folder of images or an image file. Received: path={str(path)!r}, "
            f"which does not exist; {describe_nearest(path)}."
        )
    if is_one_source(path):
        return [path]
    files = without_repeats(list(_files(path, bool(recursive), apart)))
    for file in files:
        _check_file(file)
    if recursive is None:
        _refuse_subfolders(path, len(files), apart)
    if not files:
        raise ValueError(
            f"`path` must hold at least one image. Received: path={str(path)!r}, a folder without any file of "
            f"the extensions that are read: {', '.join(EXTENSIONS)}."
        )
    return files


def subfolders_named(root: Path, name: str) -> dict[str, Path]:
    """The folder `name` in `root` and every one at any depth below, under the path of the folder it lies in.

    What lies inside one of them is part of that one.
    """
    found: dict[str, Path] = {}
    for folder in (root, *_folders(root, frozenset())):
        inside = folder / name
        if inside.is_dir() and not {folder, *folder.parents} & set(found.values()):
            found["" if folder == root else folder.relative_to(root).as_posix()] = inside
    return found


def _files(folder: Path, deep: bool, apart: frozenset[Path]) -> Iterator[Path]:
    """What may be an image in a folder, and in the folders below."""
    for place in [folder, *(_folders(folder, apart) if deep else ())]:
        for entry in _entries(place):
            if not _is_folder(entry) and entry.suffix.lower() not in _NOT_IMAGES:
                yield entry


def _folders(folder: Path, apart: frozenset[Path], above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The folders below one, links followed, but not round in a circle."""
    above = (*above, folder.resolve())
    for entry in _entries(folder):
        if _is_folder(entry) and entry.resolve() not in {*apart, *above}:
            yield entry
            yield from _folders(entry, apart, above)


def _entries(folder: Path) -> list[Path]:
    """What a user put into a folder: nothing hidden and nothing of the system."""
    entries = sorted(folder.iterdir())
    seen = [entry for entry in entries if not entry.name.startswith(".") or entry.suffix == _NOT_DOWNLOADED]
    return [entry for entry in seen if entry.name.lower() not in _OF_SYSTEMS]


def _is_folder(entry: Path) -> bool:
    return entry.is_dir() and not is_one_source(entry) and entry.suffix.lower() not in _FOLDERS_AS_FILES


def _check_file(file: Path) -> None:
    if file.suffix == _NOT_DOWNLOADED:
        raise ValueError(
            f"All images must be on this machine. Received: {str(file)!r}, the stand-in for an image that iCloud Drive "
            "has not downloaded. Download it first."
        )
    if not file.exists():
        raise ValueError(
            f"All images must be there. Received: {str(file)!r}, a link to {str(file.readlink())!r}, where nothing is. "
            "Fetch what it should lead to, or remove the link."
        )
    check_extension(file)


def _refuse_subfolders(path: Path, on_top: int, apart: frozenset[Path]) -> None:
    above = {path.resolve(), *path.resolve().parents}
    folders = [entry for entry in _entries(path) if _is_folder(entry) and entry.resolve() not in apart | above]
    holding = [entry.name for entry in folders if any(map(is_read, _files(entry, True, apart)))]
    if holding:
        raise ValueError(
            f"`path` must hold its images itself, unless `recursive` says what to do with sub-folders. Received: "
            f"path={str(path)!r} with {on_top} images of its own and more in the sub-folders {list_some(holding)}. "
            f"Pass `recursive=True` to read those too, `recursive=False` to leave them out, or the path of one."
        )


def _told_apart(first: str, second: str) -> str:
    """Two files' names, with each character's code where they look the same."""
    if unicodedata.normalize("NFC", first) == unicodedata.normalize("NFC", second):
        return f"{first!a} and {second!a}, one name in two forms of Unicode"
    return f"{first!r} and {second!r}"
