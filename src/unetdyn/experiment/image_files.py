"""What there is to predict: one file with one section or more, or a folder of files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from unetdyn.data.folders import name_files
from unetdyn.data.formats.registry import format_of, is_one_source
from unetdyn.data.lazy import LazyArray
from unetdyn.data.sources import joined_pages, lazy_pages
from unetdyn.experiment.mask_files import ENDINGS


@dataclass(frozen=True)
class Group:
    """Files of one section each, all of one size and dtype.

    Attributes:
        files: In natural order.
        sections: What they hold, read when it is used.
    """

    files: list[Path]
    sections: LazyArray


@dataclass(frozen=True)
class ImageFiles:
    """A folder's files.

    Attributes:
        groups: Those of one section, by size, channels and dtype.
        volumes: Those of several.
    """

    groups: list[Group]
    volumes: list[Path]

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [file for group in self.groups for file in group.files] + self.volumes


def images_in(folder: Path) -> ImageFiles:
    """The images of a folder, none of them read whole.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it holds none, sub-folders with images, or a file that can't be read.
    """
    return grouped(name_files({"": folder}).values())


def grouped(files: Iterable[Path]) -> ImageFiles:
    """Files by their size."""
    by_form: dict[tuple[tuple[int, ...], str], list[tuple[Path, LazyArray]]] = {}
    volumes = []
    for file in files:
        pages = lazy_pages(file) if format_of(file) is None else []
        if len(pages) != 1:
            volumes.append(file)
            continue
        array = joined_pages(pages)
        by_form.setdefault((array.shape, str(array.dtype)), []).append((file, array))
    groups = [
        Group([file for file, _ in held], LazyArray.joined([array for _, array in held])) for held in by_form.values()
    ]
    return ImageFiles(groups, volumes)


def check_images(path: Path) -> bool:
    """Whether it is a folder of files; one file otherwise.

    Raises:
        FileNotFoundError: If it is neither.
    """
    if is_one_source(path):
        return False
    if not path.is_dir():
        raise FileNotFoundError(
            f"IMAGES must be a folder of images, or a file: a stack or a volume. Received: {path}, which is not there."
        )
    return True


def name_of_mask(file: Path) -> str:
    """The name of what is predicted of a file: its own, where a mask can have it.

    >>> name_of_mask(Path("a/s01.tif")), name_of_mask(Path("a/s01.jpg"))
    ('s01.tif', 's01.png')
    """
    return file.name if file.suffix.lower() in ENDINGS else f"{file.stem}.png"
