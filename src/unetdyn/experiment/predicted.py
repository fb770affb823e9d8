"""Masks of files: a folder gives a folder, a stack a stack, with names, sizes and resolution of the images."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn._checks import check_choice, check_fraction
from unetdyn.data.formats.registry import format_of
from unetdyn.experiment.applied import Applied
from unetdyn.experiment.image_files import Group, ImageFiles, check_images, grouped, images_in, name_of_mask
from unetdyn.experiment.mask_files import ENDINGS, MaskFiles
from unetdyn.experiment.shrinking import enlarged, shrunk
from unetdyn.inference.called_model import CalledModel
from unetdyn.inference.layout import Layout
from unetdyn.inference.reduction import REDUCTIONS
from unetdyn.inference.sinks import ENDINGS as VOLUMES
from unetdyn.inference.sinks import check_fits, kind_of
from unetdyn.inference.source import Source, open_source
from unetdyn.inference.unfinished import Unfinished
from unetdyn.runs.atomic import remove, remove_leftovers

Loaded = Callable[[], Applied]


@dataclass(frozen=True)
class Wanted:
    """What becomes of probabilities.

    Attributes:
        reduce: As of `predict_tiled`; None: a mask, of several classes by their largest.
        threshold: As of `predict_tiled`.
        overwrite: Whether what is there is replaced.
    """

    reduce: str | None = None
    threshold: float = 0.5
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_choice("reduce", self.reduce, (None, *REDUCTIONS))
        check_fraction("threshold", self.threshold, zero=True, one=True)

    def reduction(self, applied: Applied) -> str:
        """For this model."""
        return self.reduce or ("threshold" if applied.classes == 1 else "argmax")


def predict_files(load: Loaded, images: str | Path, out: str | Path, wanted: Wanted | None = None) -> Path:
    """Predict files, and leave files of the same names, sizes and resolution.

    A folder of PNG or TIFF gives a folder of PNG or TIFF; JPEG and the like give PNG. Truth values are 0 and 1 in TIFF,
    and one bit in PNG. A stack or a volume gives what `out` ends in: `.tif`, `.npy`, `.zarr`, `.nii` or `.mrc`, with
    the size of its voxels where the images say it. Where the process is killed, the same call carries on: in a folder
    behind the last file, else behind the last lines of `predict_tiled`.

    Where the model was trained on images made smaller, so are these, and each value of the result is repeated.

    Args:
        load: Opens the model, when all else was looked at.
        images: A folder, or a file.
        out: A folder where `images` is one, else a file.
        wanted: What becomes of probabilities; None (default) for masks at 0.5.

    Returns:
        `out`.

    Raises:
        FileExistsError: If `out` is there.
        FileNotFoundError: If `images` is not, or the folder of `out`.
        ValueError: If something doesn't fit: the text says what.
    """
    images, out, wanted = Path(images), Path(out), wanted or Wanted()
    is_folder = check_images(images)
    if out.resolve() == images.resolve():
        raise ValueError(
            f"OUT must be another {'folder' if is_folder else 'file'} than IMAGES. Received: {out} for both."
        )
    if is_folder:
        found = images_in(images)
        _check_folder(images, found, out, wanted)
        _predict_folder(load(), images, found, out, wanted)
    elif out.suffix.lower() == ".png":
        _predict_picture(load, images, out, wanted)
    else:
        kind_of(out)  # before the model is loaded
        _refuse_existing(out, wanted)
        predict_volume(load(), images, out, wanted)
    return out


def predict_volume(applied: Applied, images: Path, out: Path, wanted: Wanted) -> None:
    """A stack or a volume into one file.

    Args:
        applied: The model.
        images: The file.
        out: Ends in one of `unetdyn.inference.sinks.ENDINGS`.
        wanted: What becomes of probabilities.
    """
    options = {"reduce": wanted.reduction(applied), "threshold": wanted.threshold}
    check_fits(out, 1 if options["reduce"] == "argmax" else applied.classes)
    if applied.factor == 1:
        applied.predict(images, out, overwrite=wanted.overwrite, **options)
        return
    source = open_source(images, None)
    small = out.with_name(f"{out.name}.small.npy")
    applied.predict(shrunk(source.sections, applied.factor), small, overwrite=True, **options)
    _enlarge(small, out, source, applied.factor, wanted)
    remove(small)


def _enlarge(small: Path, out: Path, source: Source, factor: int, wanted: Wanted) -> None:
    """A finished prediction as large as its images, a section at a time."""
    values = np.load(small, mmap_mode="r")
    shape, channels = source.sections.shape, values.shape[3:]
    size, depth = (shape[1], shape[2]), shape[: int(source.has_z)]
    axes = ("z" if source.has_z else "") + "yx" + ("c" if channels else "")
    kind = kind_of(out)
    layout = Layout((*depth, *size, *channels), axes, values.dtype, 2, source.voxel_size, source.path)
    layout = kind.fitted(layout)
    made_from = {"enlarged": small.name, "dtype": str(layout.dtype), "shape": layout.shape}
    with Unfinished(out, made_from, wanted.overwrite) as unfinished:
        if unfinished.place is None:
            unfinished.begin(kind.make(unfinished.partial, layout))
        with closing(kind.open(unfinished.partial, layout, unfinished.place)) as sink:
            for item, section in enumerate(values):
                sink.write(item, 0, enlarged(np.asarray(section), factor, size))
        unfinished.finish()


def _predict_picture(load: Loaded, images: Path, out: Path, wanted: Wanted) -> None:
    """One section into a PNG."""
    _refuse_existing(out, wanted)
    found = grouped([images]) if format_of(images) is None else ImageFiles([], [images])
    if found.volumes:
        raise ValueError(
            f"OUT must end in {', '.join(VOLUMES[:-1])} or {VOLUMES[-1]} for a stack or a volume. Received: {out} for "
            f"{images}."
        )
    if not out.parent.is_dir():
        raise FileNotFoundError(f"OUT must lie in a folder that is there. Received: {out}.")
    applied = load()
    _check_values(applied, [out], wanted)
    _predict_group(applied, found.groups[0], [out], wanted)


def _check_folder(images: Path, found: ImageFiles, out: Path, wanted: Wanted) -> None:
    """Refuse what would be overwritten, or written twice, before anything is loaded."""
    if out.suffix.lower() in (*ENDINGS, *VOLUMES) and not out.is_dir():
        raise ValueError(
            f"OUT must be a folder where IMAGES is one. Received: {out} for the folder {images}. A stack in one file "
            "is predicted into one file."
        )
    if not out.parent.is_dir():
        raise FileNotFoundError(f"OUT must lie in a folder that is there. Received: {out}.")
    names = [name_of_mask(file) for file in found.files]
    if other := next((file for file in found.volumes if format_of(file) is not None), None):
        raise ValueError(
            f"A folder must hold PNG, TIFF or JPEG images. Received: {other}. Predict volumes one at a time."
        )
    if out.is_dir():
        foreign = sorted({entry.name for entry in out.iterdir()} - set(names))
        if foreign and wanted.overwrite:
            raise ValueError(
                f"OUT must hold nothing else than an earlier prediction, as it is replaced. Received: {out}, which "
                f"holds {foreign[0]}."
            )
        if not any(out.iterdir()):
            out.rmdir()
        else:
            _refuse_existing(out, wanted)


def _refuse_existing(out: Path, wanted: Wanted) -> None:
    if out.exists() and not wanted.overwrite:
        raise FileExistsError(f"OUT must not be there yet. Received: {out}, which is. --overwrite replaces it.")


def _check_values(applied: Applied, targets: list[Path], wanted: Wanted) -> None:
    """Refuse what image files can't hold, before anything is written."""
    reduce = wanted.reduction(applied)
    if applied.classes > 1 and reduce != "argmax":
        raise ValueError(
            f"An image file holds one value a pixel. Received: reduce={reduce!r} for a model of {applied.classes} "
            "classes. Predict a stack into .npy or .zarr, or have the largest: argmax."
        )
    if reduce == "logits" and any(target.suffix.lower() == ".png" for target in targets):
        raise ValueError("PNG holds no logits. Received: reduce='logits'. Predict TIFF images, or a stack into .npy.")


def _check_groups(applied: Applied, called: CalledModel, groups: list[Group]) -> None:
    """Refuse what the model does not take by the name of a file, before any other is predicted."""
    for group in groups:
        try:
            called.check_channels(group.sections.shape[-1])
            shrunk(group.sections, applied.factor)
        except ValueError as error:
            raise ValueError(f"{group.files[0]} does not fit the model. {error}") from error


def _predict_folder(applied: Applied, images: Path, found: ImageFiles, out: Path, wanted: Wanted) -> None:
    """All files into a folder that has its name when it is complete."""
    _check_values(applied, [Path(name_of_mask(file)) for file in found.files], wanted)
    called = CalledModel(applied.model)
    _check_groups(applied, called, found.groups)
    made_from: dict[str, Any] = {
        "images": str(images.resolve()),
        "model": called.hash(),
        "tile": applied.tile,
    }
    made_from |= {name: value for name, value in applied.options.items() if name != "progress"}
    made_from |= {"normalise": applied.normalise, "reduce": wanted.reduction(applied), "threshold": wanted.threshold}
    with Unfinished(out, made_from, wanted.overwrite) as unfinished:
        if unfinished.place is None:
            unfinished.partial.mkdir()
            unfinished.begin(0)
        _predict_into(applied, found, unfinished.partial, wanted)
        remove_leftovers(unfinished.partial)
        unfinished.finish()


def _predict_into(applied: Applied, found: ImageFiles, folder: Path, wanted: Wanted) -> None:
    """What is not in the folder yet."""
    for group in found.groups:
        targets = [folder / name_of_mask(file) for file in group.files]
        left = [place for place, target in enumerate(targets) if applied.is_3d or not target.is_file()]
        if left:
            some = Group([group.files[place] for place in left], group.sections.take(left))
            _predict_group(applied, some, [targets[place] for place in left], wanted)
    for volume in found.volumes:
        target = folder / name_of_mask(volume)
        if not target.is_file():
            predict_volume(applied, volume, target, wanted)


def _predict_group(applied: Applied, group: Group, targets: list[Path], wanted: Wanted) -> None:
    reduce = wanted.reduction(applied)
    sections = shrunk(group.sections, applied.factor)
    by_kind: dict[bool, list[int]] = {}
    for place, target in enumerate(targets):
        by_kind.setdefault(target.suffix.lower() == ".png", []).append(place)
    if applied.is_3d and len(by_kind) > 1:
        raise ValueError("A model in 3D takes the sections of a folder as one volume: they must be of one format.")
    for is_png, places in by_kind.items():
        dtype = _dtype(reduce, is_png, applied.classes)
        height, width = group.sections.shape[1:3]
        files = [targets[place] for place in places]
        sources = [group.files[place] for place in places]
        some = sections.take(places)
        sink = MaskFiles(
            files,
            sources,
            (len(places), some.shape[1], some.shape[2]),
            np.dtype(dtype),
            (height, width),
            applied.factor,
        )
        applied.predict(some, sink, reduce=reduce, threshold=wanted.threshold, dtype=dtype)


def _dtype(reduce: str, is_png: bool, classes: int) -> str:
    """Of the values in an image file."""
    if reduce == "threshold":
        return "bool" if is_png else "uint8"
    if reduce == "argmax":
        return "uint8" if classes <= 256 else "uint16"
    return "uint8" if is_png else "float32"
