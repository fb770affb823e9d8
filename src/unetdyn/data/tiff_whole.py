"""Whether a TIFF file is whole, and its pages are those that it tells of."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetdyn.data.refused import ambiguous

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

# Files whose pages mean what their own tags say; any other kind describes the whole stack in one place.
PLAIN = {"generic", "uniform"}
_DESCRIPTIONS = {"imagej": "ImageJ", "ome": "OME", "shaped": "tifffile"}
_UNCOMPRESSED = 1
# Tags without which pixels are read wrongly. A damaged one of another kind, such as a program's own, does no harm.
_OF_PIXELS = {
    *range(254, 263),
    266,
    270,
    273,
    274,
    *range(277, 280),
    284,
    317,
    320,
    *range(322, 326),
    330,
    338,
    339,
    347,
}
_OF_PIXELS |= {*range(512, 522), 529, 530, 532, 32997}
_TAG = re.compile(r"TiffTag (\d+) ")


def is_beside(page: TiffPage) -> bool:
    """Whether a page is marked as a reduced copy of another, or as its transparency."""
    return page.is_reduced or page.is_mask


def refuse_unfit_description(file: TiffFile, path: Path) -> None:
    """Refuse a stack that is not what it says: pages were lost, added or taken out behind the description's back."""
    from tifffile import TiffFile

    stated = [kind for kind in _DESCRIPTIONS if getattr(file, f"is_{kind}")]
    followed = {one.kind for one in file.series} - PLAIN
    series = [one for one in file.series if one.kind in stated]
    if not stated or followed - set(stated) or any(one.is_multifile for one in series):
        return
    named = sum(int(np.prod(one.shape)) // one.keyframe.size for one in series if not is_beside(one.keyframe))
    held = len(file.pages)
    if held not in (1, named):
        with TiffFile(path) as again:  # the first one has turned its pages into frames without tags
            held = sum(not is_beside(page) for page in again.pages)
    if named == 0 or held not in (1, named):
        tells = f"tells of {named}" if named else "does not fit"
        raise ambiguous(
            path,
            f"of {held} page{'s' * (held != 1)}, though its {_DESCRIPTIONS[stated[0]]} description {tells}",
            "Is it cut short, or were pages added or taken out? Save it anew without that description (tag 270).",
        )


def refuse_cut(page: TiffPage | TiffFrame, file: TiffFile) -> None:
    """Some decoders fill in what is missing at the end of a file."""
    ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if page.compression != _UNCOMPRESSED and page.parent is file and max(ends, default=0) > file.filehandle.size:
        raise ValueError(f"it ends {max(ends) - file.filehandle.size} bytes before its pixels do")


def refuse_missing(series: TiffPageSeries, file: TiffFile, path: Path) -> None:
    """Refuse a series some pages of which are in other files that aren't there: tifffile would fill in zeros."""
    missing = 0
    for page in series.pages:
        if page is None:
            missing += 1
        else:
            refuse_cut(page, file)
    if missing:
        raise ambiguous(
            path,
            f"of whose {len(series.pages)} pages {missing} are missing here",
            "Are they in other files that belong to it, or is it cut short? Put them beside it.",
        )


class _Collected(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        message = record.getMessage()
        tag = _TAG.search(message)
        if tag is None or int(tag[1]) in _OF_PIXELS:
            self.errors.append(message)
        return False


@contextmanager
def errors_of_tifffile() -> Iterator[None]:
    """Raises what tifffile logs as errors of pages: it goes on without those that it could not find."""
    from tifffile import TiffFileError

    logger, collected = logging.getLogger("tifffile"), _Collected()
    logger.addFilter(collected)
    try:
        yield
    finally:
        logger.removeFilter(collected)
    if collected.errors:
        raise TiffFileError(collected.errors[0])
