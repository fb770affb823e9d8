"""What is predicted of a folder of images, as a folder of files: each is written when its section is complete."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unetdyn.data.formats.tiff_file import is_tiff
from unetdyn.experiment.shrinking import enlarged
from unetdyn.runs.atomic import replacing

ENDINGS = (".png", ".tif", ".tiff")
"""Of files of one section that are written; what is read from others becomes a PNG."""


class MaskFiles:
    """Takes the lines of sections as an array does, and writes a file a section.

    Args:
        files: What is written, in the order of the sections.
        sources: The images that they belong to, whose resolution they have.
        shape: Of the sections that come: `(sections, height, width)`.
        dtype: Of their values.
        size: Height and width of the files.
        factor: How many times smaller the sections are.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> files = MaskFiles([folder / "a.png"], [folder / "image.jpg"], (1, 2, 2), np.dtype(bool), (2, 2))
        >>> files[0, slice(0, 1)] = np.array([[True, False]])
        >>> [entry.name for entry in folder.iterdir()]
        []
        >>> files[0, slice(1, 2)] = np.array([[False, True]])
        >>> with Image.open(folder / "a.png") as opened:
        ...     np.asarray(opened).tolist()
        [[True, False], [False, True]]
    """

    def __init__(
        self,
        files: list[Path],
        sources: list[Path],
        shape: tuple[int, int, int],
        dtype: np.dtype,
        size: tuple[int, int],
        factor: int = 1,
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._files, self._sources, self._size, self._factor = files, sources, size, factor
        self._begun: dict[int, tuple[np.ndarray, int]] = {}  # a section, and how many of its lines are there

    def __setitem__(self, key: Any, values: np.ndarray) -> None:
        """Lines of a section, `[section, first:end]`, or whole sections, `[first:end]`."""
        first = key[0]
        if isinstance(first, slice):
            for place, section in zip(range(first.start, first.stop), values, strict=True):
                self._write(place, section)
            return
        section, lines = self._begun.pop(first, (np.empty(self.shape[1:], self.dtype), 0))
        section[key[1]] = values
        lines += len(values)
        if lines == len(section):
            self._write(first, section)
        else:
            self._begun[first] = section, lines

    def _write(self, place: int, section: np.ndarray) -> None:
        write_section(self._files[place], enlarged(section, self._factor, self._size), self._sources[place])


def write_section(file: Path, section: np.ndarray, source: Path) -> None:
    """One section as PNG or TIFF, all at once, with the resolution of the image that it belongs to.

    Args:
        file: Ends in one of `ENDINGS`. Truth values become 0 and 1 in TIFF, and one bit in PNG, which viewers show
            black and white.
        section: `(height, width)`.
        source: The image.
    """
    with replacing(file) as temporary:
        if file.suffix.lower() == ".png":
            Image.fromarray(section).save(temporary, format="PNG", **_dots(source))
            return
        import tifffile

        values = section.astype(np.uint8) if section.dtype == np.bool_ else section
        tifffile.imwrite(temporary, values, photometric="minisblack", **_resolution(source))


def _dots(source: Path) -> dict[str, Any]:
    """Dots an inch of a PNG, where it says them."""
    if source.suffix.lower() != ".png":
        return {}
    with Image.open(source) as opened:
        dots = opened.info.get("dpi")
    return {} if dots is None else {"dpi": dots}


def _resolution(source: Path) -> dict[str, Any]:
    """Pixels a unit of a TIFF, where it says them."""
    import tifffile

    if not is_tiff(source):
        return {}
    with tifffile.TiffFile(source) as opened:
        tags = opened.pages.first.tags
        found = [tags.valueof(name) for name in ("XResolution", "YResolution", "ResolutionUnit")]
    if None in found[:2]:
        return {}
    return {"resolution": (found[0], found[1]), "resolutionunit": found[2] or 1}
