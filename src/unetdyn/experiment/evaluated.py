"""A trained model predicts sections that it did not learn from, and is scored on them."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn import runs
from unetdyn._checks import check_count, check_fraction, check_range
from unetdyn.evaluation import Evaluation, evaluate_sections
from unetdyn.evaluation.inputs import checked_spacing
from unetdyn.evaluation.run_evaluation import RunEvaluation
from unetdyn.evaluation.section_pictures import NOT_COUNTED, WorstSections
from unetdyn.experiment.applied import Applied
from unetdyn.experiment.evaluated_data import Named, Part, parts_of

BATCH = 8
"""Sections in a batch for the mean over batches among the six IoUs, where the run does not say its own."""


@dataclass(frozen=True)
class Scoring:
    """How predictions are scored; arguments of `unetdyn.evaluation.evaluate_sections`.

    Attributes:
        threshold: A probability above it is object; None: the best on validation where there is a validation beside
            what is evaluated, else 0.5.
        spacing: Distance of neighbouring pixels of the images in their files; None: as the files say it, else pixels.
        unit: Of `spacing` and `tolerance`.
        tolerance: Of NSD; None: no NSD.
        objects: Whether objects are counted.
        label: The object's class, of a model of several; None where it has one.
    """

    threshold: float | None = None
    spacing: float | None = None
    unit: str = "nm"
    tolerance: float | None = None
    objects: bool = False
    label: int | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_fraction("threshold", self.threshold, zero=True, one=True)
        checked_spacing(self.spacing, 2)
        if self.tolerance is not None:
            check_range("tolerance", self.tolerance, 0)
        if self.label is not None:
            check_count("label", self.label, least=0, unit="")

    def channel(self, classes: int) -> int:
        """Which class is the object, 1 where the model has one.

        Args:
            classes: Of the model.

        Raises:
            ValueError: If that is not said, or there is no such class.
        """
        if classes == 1 and self.label in (None, 1):
            return 1
        if classes == 1 or self.label is None or self.label >= classes:
            which = "1, or be left out" if classes == 1 else f"a class from 0 to {classes - 1}"
            raise ValueError(
                f"`label` (--class) must be {which}, for a model of {classes} classes. Received: label={self.label!r}."
            )
        return self.label

    def distances(self, part: Part, factor: int) -> dict[str, Any]:
        """`spacing`, `unit` and `tolerance` of sections that were made smaller by a factor."""
        if self.spacing is not None:
            return {"spacing": self.spacing * factor, "unit": self.unit, "tolerance": self.tolerance}
        voxel = part.stack.voxel_size  # which `downsample` has made larger
        known = {} if voxel is None else {"spacing": voxel[1:], "unit": "nm"}
        return {**known, "tolerance": self.tolerance}


def evaluate_model(
    applied: Applied,
    path: str | Path,
    data: Named | str | None = None,
    scoring: Scoring | None = None,
    tell: Callable[[str], object] = str,
) -> RunEvaluation:
    """Score a model on data, or on a part of what its run was trained from.

    Everything is predicted tile by tile, in the size of the training, and kept in a temporary file. The threshold is
    never chosen on what is evaluated: it is the one that is best on the run's validation sections, where these are
    others and can be read, or 0.5.

    Args:
        applied: The model.
        path: Its run directory, or its `.keras` file, which has no data of its own.
        data: What to evaluate on: data that is named, or "test" or "validation" of the run. None (default): the run's
            test sections, or where it has none those of its validation, on which its best epoch was chosen.
        scoring: How; None (default) for the defaults.
        tell: Is called with a sentence before each part that is predicted; by default nobody is.

    Returns:
        The evaluation, with pictures of the sections that score worst.

    Raises:
        ValueError: If the data doesn't fit the model, or can't be read; if a `.keras` file comes without data.
    """
    scoring, path = scoring or Scoring(), Path(path)
    label = scoring.channel(applied.classes)
    run = runs.open(path) if path.is_dir() else None
    part, validation = _parts(applied, run, data, scoring)
    settings = _settings(applied, path, label)
    with tempfile.TemporaryDirectory() as folder:
        on_validation = None
        if validation is not None:
            tell(f"Predicting {len(validation.stack)} sections of validation, on which the threshold is chosen")
            with _predicted(applied, validation, label, Path(folder)) as p:
                on_validation = _evaluation(p, validation, scoring, applied, run, 0.5, label)
        threshold, origin = _threshold(scoring, on_validation)
        tell(f"Predicting {len(part.stack)} sections of {part.of}")
        with _predicted(applied, part, label, Path(folder)) as p:
            found = _evaluation(p, part, scoring, applied, run, threshold, label)
            worst = _worst(p, part, found, label)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return RunEvaluation(part.of, found, on_validation, origin, made, settings, worst.pictures())


def _parts(
    applied: Applied, run: runs.Run | None, data: Named | str | None, scoring: Scoring
) -> tuple[Part, Part | None]:
    """What is evaluated, and where the threshold is chosen."""
    if isinstance(data, Named):
        part = data.read(applied.classes, applied.factor)
        return part, _validation_of(run) if scoring.threshold is None and run is not None else None
    if run is None:
        raise ValueError("DATA must be said for a `.keras` file, which has no data of its own. Received: none.")
    found = parts_of(run, data)
    part = found[data] if data is not None else next(iter(found.values()))
    chooses = scoring.threshold is None and part.of != "validation"
    return part, found.get("validation") if chooses else None


def _validation_of(run: runs.Run) -> Part | None:
    """That of a run whose data may be elsewhere by now: then nothing is chosen."""
    try:
        return parts_of(run, None).get("validation")
    except (OSError, ValueError, ImportError):
        return None


def _threshold(scoring: Scoring, on_validation: Evaluation | None) -> tuple[float, str]:
    if scoring.threshold is not None:
        return scoring.threshold, "given"
    if on_validation is None or np.isnan(on_validation.thresholds.best_threshold):
        return 0.5, "default"
    return float(on_validation.thresholds.best_threshold), "validation"


@contextmanager
def _predicted(applied: Applied, part: Part, label: int, folder: Path) -> Iterator[NDArray[np.float32]]:
    """`(sections, height, width)`: the probability of the object, in a file that is removed afterwards."""
    if applied.is_3d and any(np.diff(part.stack.places) != 1):
        raise ValueError(
            "A model in 3D needs sections that adjoin each other. Received: "
            f"{len(part.stack)} sections of {part.of} with gaps between them."
        )
    file = folder / "probabilities.npy"
    applied.predict(part.stack.images, file, overwrite=True, axes="zyxc")
    found = np.load(file, mmap_mode="r")
    try:
        yield found if found.ndim == 3 else found[..., label]
    finally:
        del found
        file.unlink()


def _evaluation(
    p: NDArray[np.float32],
    part: Part,
    scoring: Scoring,
    applied: Applied,
    run: runs.Run | None,
    threshold: float,
    label: int,
) -> Evaluation:
    fit = {} if run is None else run.config.get("fit")
    batch = fit.get("batch_size") if isinstance(fit, dict) else None
    return evaluate_sections(
        zip(p, part.masks(label), strict=True),
        threshold=threshold,
        **scoring.distances(part, applied.factor),
        objects=scoring.objects,
        ignore_label=None if part.stack.weights is None else NOT_COUNTED,
        batch_size=batch if isinstance(batch, int) else BATCH,
        names=part.stack.names,
    )


def _worst(p: NDArray[np.float32], part: Part, found: Evaluation, label: int) -> WorstSections:
    worst = WorstSections()
    for place, (mask, scores) in enumerate(zip(part.masks(label), found.sections, strict=True)):
        worst.add(scores.name, scores.pixels.jaccard, np.asarray(part.stack.images[place]), mask, np.asarray(p[place]))
    return worst


def _settings(applied: Applied, path: Path, label: int) -> dict[str, Any]:
    options = {name: value for name, value in applied.options.items() if name in ("overlap", "tta")}
    of_classes = {"class": label} if applied.classes > 1 else {}
    how = {
        "tile": applied.tile or applied.sides,
        **options,
        "normalise": applied.normalise,
        "downsample": applied.factor,
    }
    return {"model": str(path), **how, **of_classes}
