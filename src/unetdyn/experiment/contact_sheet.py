"""A few sections of what was predicted, beside their probability, as one picture."""

from pathlib import Path

import numpy as np

from unetdyn.data.lazy import LazyArray
from unetdyn.evaluation.section_pictures import as_grey_levels
from unetdyn.experiment.applied import Applied
from unetdyn.experiment.image_files import check_images, images_in
from unetdyn.experiment.predicted import Wanted
from unetdyn.experiment.shrinking import shrunk
from unetdyn.inference.source import normalised, open_source
from unetdyn.report import SectionsDisplay

SECTIONS = 4
"""That are shown, evenly over all."""

SIDE = 512
"""Pixels of the middle of a section, along each side: what is larger would show nothing of a border."""


def sheet_beside(out: Path) -> Path:
    """Where the picture of a prediction is: `masks` → `masks.sheet.png`, `masks.tif` too.

    >>> sheet_beside(Path("a/masks.ome.tif")).name
    'masks.ome.sheet.png'
    """
    return out.with_name(f"{out.stem if out.suffix else out.name}.sheet.png")


def write_sheet(applied: Applied, images: str | Path, file: str | Path, wanted: Wanted) -> Path:
    """Draw image, outline of the prediction and probability of a few sections.

    The middle of each is predicted once more, because masks have no probabilities; near its border these differ a
    little from those of the whole section.

    Args:
        applied: The model; of several classes, the probability that it is not the first is shown.
        images: What was predicted.
        file: A PNG.
        wanted: What was predicted of them, with the threshold whose outline is drawn.

    Returns:
        The file.
    """
    names, sections = _sections(Path(images), applied)
    rows, columns = (slice(max(0, (side - SIDE) // 2), (side + SIDE) // 2) for side in sections.shape[1:3])
    window = (
        slice(rows.start, min(rows.stop, sections.shape[1])),
        slice(columns.start, min(columns.stop, sections.shape[2])),
    )
    shown = _shown(len(sections), applied)
    ready = normalised(sections, applied.normalise)
    block = np.concatenate([ready.read(place, place + 1, window) for place in shown])
    logits = {"from_logits": True} if wanted.reduce == "logits" else {}
    found = applied.predict(block, normalise="none", progress=None, axes="zyxc", **logits)
    p = np.asarray(found, dtype=np.float32)
    p = 1 - p[..., 0] if p.ndim == 4 else p
    of_these = np.unique(np.linspace(0, len(shown) - 1, SECTIONS).round().astype(int))
    raw = [as_grey_levels(sections.read(shown[i], shown[i] + 1, window)[0]) for i in of_these]
    display = SectionsDisplay(np.stack(raw), p[of_these], [names[shown[i]] for i in of_these], wanted.threshold)
    display.plot().save(file, dpi=110)
    return Path(file)


def _sections(images: Path, applied: Applied) -> tuple[list[str], LazyArray]:
    """Names, and the sections as the model takes them: of a folder those of its first size."""
    if not check_images(images):
        sections = open_source(images, None).sections
        names = [images.name] if len(sections) == 1 else [f"section {place + 1}" for place in range(len(sections))]
    else:
        found = images_in(images)
        if found.groups:
            names, sections = [file.name for file in found.groups[0].files], found.groups[0].sections
        else:
            sections = open_source(found.volumes[0], None).sections
            names = [f"section {place + 1}" for place in range(len(sections))]
    return names, shrunk(sections, applied.factor)


def _shown(count: int, applied: Applied) -> list[int]:
    """Which are predicted: some of all, or in 3D those around the middle."""
    if not applied.is_3d:
        return [int(place) for place in np.unique(np.linspace(0, count - 1, SECTIONS).round())]
    sides = applied.tile if isinstance(applied.tile, list | tuple) else (applied.tile or 16,)
    depth = min(count, int(sides[0]))
    first = (count - depth) // 2
    return list(range(first, first + depth))
