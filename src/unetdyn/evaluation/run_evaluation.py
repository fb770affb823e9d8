"""The evaluation of a run's model: what was found, on which sections, and where the threshold comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetdyn._checks import check_choice
from unetdyn.analysis.result import Result, number
from unetdyn.evaluation.record import Evaluation
from unetdyn.evaluation.section_pictures import SectionPictures
from unetdyn.runs.atomic import replacing
from unetdyn.runs.records import RunError, parse_object, read_arrays
from unetdyn.runs.strict_json import dumps

if TYPE_CHECKING:
    from unetdyn.runs import Run

FORMAT = 1
_ORIGINS = {"validation": "chosen on validation", "given": "given", "default": "nobody chose it"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, eq=False)
class RunEvaluation(Result):
    """What `unetdyn evaluate` found; the file `evaluation.json` of a run, and beside it `evaluation.npz`.

    Attributes:
        of: Which sections: "test", "validation", or where the data is.
        found: Their scores.
        validation: The scores of the validation sections, on which the threshold was chosen; None (default) where there
            are none, or where they are what was evaluated.
        threshold_from: "validation": the best there; "given" by the user; "default": 0.5, which nobody chose.
        made: When, as ISO 8601 in UTC; by default now.
        settings: How it was predicted: `model`, `tile`, `overlap`, `tta`, `normalise`, `downsample`, `class`.
        pictures: Of the worst sections; None (default) where none are kept.

    Raises:
        ValueError: If `threshold_from` is something else.
    """

    of: str
    found: Evaluation
    validation: Evaluation | None = None
    threshold_from: str = "default"
    made: str = field(default_factory=_now)
    settings: dict[str, Any] = field(default_factory=dict)
    pictures: SectionPictures | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_choice("threshold_from", self.threshold_from, tuple(_ORIGINS))

    @property
    def threshold_in_words(self) -> str:
        """The threshold, and where it comes from."""
        return f"{self.found.threshold:.3g}, {_ORIGINS[self.threshold_from]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and dictionaries, without the pictures."""
        return {
            "format": FORMAT,
            "of": self.of,
            "threshold_from": self.threshold_from,
            "made": self.made,
            "settings": self.settings,
            "found": self.found.to_dict(),
            "validation": None if self.validation is None else self.validation.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RunEvaluation:
        """Of what `to_dict` gave, also after JSON; without pictures.

        Raises:
            ValueError: If it is no such record; the text says what is wrong.
        """
        if record.get("format") != FORMAT:
            raise ValueError(f"it has format {record.get('format')!r}, and this unetdyn reads {FORMAT}")
        kinds = {"of": str, "threshold_from": str, "made": str, "settings": dict, "found": dict}
        for key, kind in kinds.items():
            if not isinstance(record.get(key), kind):
                raise ValueError(f"`{key}` must be {'an object' if kind is dict else 'a text'}")
        on_validation = record.get("validation")
        return cls(
            of=record["of"],
            found=_with_sections(record["found"]),
            validation=None if on_validation is None else _with_sections(on_validation),
            threshold_from=record["threshold_from"],
            made=record["made"],
            settings=dict(record["settings"]),
        )

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("evaluated", f"{len(self.found.sections)} sections, {self.of}")]
        rows.append(("threshold", self.threshold_in_words))
        if self.threshold_from == "validation":
            rows.append(("at 0.5", f"Jaccard {number(self.found.thresholds.jaccard_at_half)}"))
        return rows + self.found._rows()


def write_run_evaluation(evaluation: RunEvaluation, path: str | Path) -> None:
    """Write it as strict JSON, and its pictures beside it as `.npz`, each all at once.

    Args:
        evaluation: What is kept.
        path: A file that ends in `.json`; its folder must exist.

    Raises:
        ValueError: If the file's name ends otherwise.

    Example:
        >>> import tempfile
        >>> from unetdyn.evaluation import evaluate_sections
        >>> masks = np.arange(48).reshape(3, 4, 4) % 3 == 0
        >>> found = evaluate_sections(masks * 0.9, masks)
        >>> file = Path(tempfile.mkdtemp()) / "evaluation.json"
        >>> write_run_evaluation(RunEvaluation("test", found), file)
        >>> read_run_evaluation(file).found.whole["jaccard"].value
        1.0
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        raise ValueError(f"`path` must end in .json. Received: {path}.")
    beside = path.with_suffix(".npz")
    text = dumps(evaluation.to_dict(), indent=1)
    beside.unlink(missing_ok=True)  # pictures of another evaluation must not stand beside this one, whenever it ends
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if evaluation.pictures is not None:
        with replacing(beside) as temporary:
            np.savez_compressed(temporary, **evaluation.pictures.arrays())


def read_run_evaluation(path: str | Path) -> RunEvaluation:
    """Read what `write_run_evaluation` or `unetdyn evaluate -o` wrote, wherever it lies.

    Args:
        path: The file; pictures are those beside it.

    Returns:
        The evaluation, NaN and infinity as they were.

    Raises:
        RunError: A ValueError: if one of the files is damaged, or of another version.
        FileNotFoundError: If it is not there.
    """
    path = Path(path)
    beside = path.with_suffix(".npz")
    return _read(parse_object(path.read_bytes(), path), path, beside if beside.is_file() else None)


def evaluation_of(run: Run) -> RunEvaluation | None:
    """The evaluation that a run directory holds.

    Args:
        run: From `unetdyn.runs.open`.

    Returns:
        The evaluation, or None where the run was not evaluated.

    Raises:
        RunError: A ValueError: if one of its files is damaged, or lies outside of the run.
    """
    record = run.evaluation
    return None if record is None else _read(record, run.path / "evaluation.json", run.evaluation_pictures_path)


def _read(record: Mapping[str, Any], file: Path, beside: Path | None) -> RunEvaluation:
    try:
        found = RunEvaluation.from_dict(record)
    except ValueError as error:
        raise RunError(f"{file} is damaged: {str(error).removesuffix('.')}.") from error
    if beside is None:
        return found
    try:
        return replace(found, pictures=SectionPictures.from_arrays(read_arrays(beside)))
    except RunError:
        raise
    except ValueError as error:
        raise RunError(f"{beside} is damaged: {error}.") from error


def _with_sections(record: Any) -> Evaluation:
    if not isinstance(record, Mapping):
        raise ValueError("an evaluation must be an object")
    found = Evaluation.from_dict(record)
    if not found.sections:
        raise ValueError("there must be sections")
    return found
