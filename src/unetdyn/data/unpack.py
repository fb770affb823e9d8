"""From downloaded files to folders of images and masks; of an archive no more comes out than is asked for."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from unetdyn.data.datasets import RemoteFile
from unetdyn.data.files import read_image

_ARCHIVE = ".zip"


def unpack(file: Path, remote: RemoteFile, into: Path) -> None:
    """Put what `remote.takes` names under `into`.

    Args:
        file: What was downloaded, checked already. An archive is left where it is, any other file is moved.
        remote: Which says what is taken, and where it comes to.
        into: A folder.

    Raises:
        ValueError: Where an archive is damaged, names a path that leads out of it, or has nothing of what is asked for.
    """
    if file.suffix.lower() != _ARCHIVE:
        ((_, target),) = _taken([file.name], remote, into)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            _refuse_ways_out(file, names)
            taken = list(_taken(names, remote, into))
            _check_taken(file, taken, remote)
            for name, target in taken:
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as packed, target.open("xb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 2**20)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(
            f"What was downloaded must be a whole ZIP archive. Received: {file.name!r}, which can't be unpacked "
            f"({error}). Its checksum was as expected, so its publisher has it so: tell us."
        ) from error


def parts_by_size(into: Path) -> None:
    """Make of each part one for each kind of image: `train` becomes `train_256x256`, `train_520x696`, …

    A kind is a size; where there are channels or another depth than 8 bits, these too: `train_64x64x3_uint16`.
    """
    for part in sorted(into.iterdir()):
        for image in sorted((part / "images").iterdir()):
            pixels = read_image(image)
            height, width, channels = pixels.shape
            kind = (
                f"{height}x{width}" + f"x{channels}" * (channels > 1) + f"_{pixels.dtype}" * (pixels.dtype != "uint8")
            )
            for file in (image, *(part / "masks").glob(f"{image.stem}.*")):
                target = into / f"{part.name}_{kind}" / file.parent.name / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
        for left in (part / "images", part / "masks", part):
            left.rmdir()


def _taken(names: list[str], remote: RemoteFile, into: Path) -> Iterator[tuple[str, Path]]:
    """Which of the names are taken, and where each comes to."""
    for name in names:
        for pattern, path in remote.takes:
            match = re.fullmatch(pattern, name)
            if match:
                yield name, into / match.expand(path)


def _check_taken(file: Path, taken: list[tuple[str, Path]], remote: RemoteFile) -> None:
    if not taken:
        raise ValueError(
            f"What was downloaded must hold images and masks. Received: {file.name!r}, with nothing in it that is "
            f"called {' or '.join(repr(pattern) for pattern, _ in remote.takes)}. Has its publisher moved them?"
        )
    if len({target for _, target in taken}) < len(taken):
        raise ValueError(
            "An archive must have one file of each name. Received: "
            f"{file.name!r}, with several for one of {len(taken)}. Has its publisher changed it?"
        )


def _refuse_ways_out(file: Path, names: list[str]) -> None:
    """Nothing of them would be written where they say; but an archive that tries is not what it should be."""
    for name in names:
        forms = (PurePosixPath(name), PureWindowsPath(name))
        if any(form.is_absolute() or form.drive or ".." in form.parts for form in forms):
            raise ValueError(
                f"An archive must keep to itself. Received: {file.name!r}, in which {name!r} leads out of it. Nothing "
                "was unpacked: this is not what its publisher has made, so don't trust where it came from."
            )
