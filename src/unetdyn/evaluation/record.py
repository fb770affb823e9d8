"""What an evaluation found, as a record that a file can keep."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, PlainValidator, TypeAdapter, ValidationError

from unetdyn._checks import check_choice, check_count, is_number
from unetdyn.analysis.result import Result, interval, number
from unetdyn.analysis.thresholds.every_threshold import ThresholdCurve
from unetdyn.evaluation.confusion import SCORES, PixelCounts, PixelScores
from unetdyn.evaluation.iou_variants import SixIous
from unetdyn.evaluation.object_counting import ObjectCounts, ObjectScores
from unetdyn.evaluation.reliability import Calibration
from unetdyn.evaluation.resampling import Estimate
from unetdyn.evaluation.surfaces import SurfaceScores
from unetdyn.runs.strict_json import restore_numbers

VERSION = 1
"""Of the record; it changes where an older reader would misread it."""

DISTANCES = ("hausdorff", "hd95", "assd")
"""Of which less is better."""


@dataclass(frozen=True)
class SectionScores(Result):
    """One section (or image, or volume).

    Attributes:
        name: Its name; its number, counted from 0, where none was given.
        counts: Its pixels at the threshold.
        pixels: The scores made of them; NaN where no pixel counts.
        surfaces: Distances of the surfaces, in the evaluation's unit.
        objects: Counts of objects; None where they were not asked for.
        object_scores: The scores made of them; None likewise.
    """

    name: str
    counts: PixelCounts
    pixels: PixelScores
    surfaces: SurfaceScores
    objects: ObjectCounts | None = None
    object_scores: ObjectScores | None = None

    def row(self) -> dict[str, Any]:
        """Name and figures as one flat row of a table; `nsd` and `pq` only where there are any."""
        found: dict[str, Any] = {"name": self.name} | dataclasses.asdict(self.counts) | dataclasses.asdict(self.pixels)
        found |= {name: getattr(self.surfaces, name) for name in (*DISTANCES, "nsd")}
        found["object"] = self.surfaces.state
        if self.objects is not None and self.object_scores is not None:
            found |= {"f1": self.object_scores.f1[0], "pq": self.object_scores.pq}
            found |= {"true": self.objects.true, "predicted": self.objects.predicted}
            found |= {"splits": self.objects.splits, "merges": self.objects.merges}
        return {name: value for name, value in found.items() if value is not None}

    def _rows(self) -> list[tuple[str, str]]:
        return [(key, value if isinstance(value, str) else number(value)) for key, value in self.row().items()]


def _curve(value: Any) -> ThresholdCurve:
    if isinstance(value, ThresholdCurve):
        return value
    known = {field.name for field in dataclasses.fields(ThresholdCurve)}
    if not isinstance(value, dict) or set(value) != known:
        raise ValueError(f"a threshold curve has {', '.join(sorted(known))}")
    parts = dict(value)
    for name in ("thresholds", "jaccard", "dice", "precision", "recall"):
        parts[name] = np.array(parts[name], dtype=np.float64)
        if parts[name].shape != (len(parts["thresholds"]),):
            raise ValueError(f"`{name}` must have one number for each threshold")
    low, high = parts["best_threshold_interval"]
    parts["best_threshold_interval"] = low, high
    for name, part in parts.items():
        text = name in ("comparison", "reason")
        if not isinstance(part, str if text else np.ndarray | tuple) and not (is_number(part) and not text):
            raise ValueError(f"`{name}` must be a {'text' if text else 'number'}")
    return ThresholdCurve(**parts)


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """What `evaluate_sections` found.

    Attributes:
        sections: Scores of each section, in their order.
        whole: Name → `Estimate`, with interval and n. The scores of pixels (`jaccard`, `dice`, `precision`, `recall`,
            `specificity`, `accuracy`) are of the summed counts; `hausdorff`, `hd95`, `assd` and `nsd` means over the
            sections; `pq`, `sq`, `rq`, `f1` (at each IoU threshold, `f1@0.5`), `area_bias` and `area_error` of the
            summed counts of objects.
        counts: The pixels of all sections.
        objects: The objects of all sections; None where they were not asked for.
        thresholds: Jaccard, Dice, precision and recall at every threshold, of the same sections.
        calibration: Reliability, ECE and Brier score.
        ious: The six IoUs.
        threshold: Above which a probability is object.
        spacing: Distance of neighbours along each axis.
        unit: Of `spacing`, distances and `tolerance`, as given; "pixel" where no spacing was.
        tolerance: Of NSD; None where there is none.
        ignore_label: Value of the masks that was not counted; None: none.
        empty: What a section without an object, in mask and prediction, scores: "perfect" or "skip".
        missed: The distance of a missed or invented object: "inf" or "diagonal".
        connectivity: Of objects; None where they were not asked for.
        version: Of this record.
    """

    sections: tuple[SectionScores, ...]
    whole: dict[str, Estimate]
    counts: PixelCounts
    objects: ObjectCounts | None
    thresholds: Annotated[ThresholdCurve, PlainValidator(_curve)]
    calibration: Calibration
    ious: SixIous
    threshold: float
    spacing: tuple[float, ...]
    unit: str
    tolerance: float | None
    ignore_label: float | None
    empty: Literal["perfect", "skip"]
    missed: Literal["inf", "diagonal"]
    connectivity: Literal["full", "face"] | None
    version: int = VERSION

    __pydantic_config__ = ConfigDict(extra="forbid")

    def worst(self, number: int = 5, by: str = "jaccard") -> list[SectionScores]:
        """The sections that score worst, the worst first; those without a score are not among them.

        Args:
            number: At most so many; default 5.
            by: A score of pixels (default "jaccard"), `hausdorff`, `hd95`, `assd` or `nsd`.

        Raises:
            ValueError: If `by` is something else.
        """
        check_count("number", number, least=1, unit="sections")
        check_choice("by", by, (*SCORES, *DISTANCES, "nsd"))
        if by == "nsd" and self.tolerance is None:
            raise ValueError("`by` can't be 'nsd' here: there is none without a `tolerance`. Evaluate with one.")
        sign = -1 if by in DISTANCES else 1
        scored = [(sign * s.row().get(by, np.nan), s) for s in self.sections]
        ranked = sorted((pair for pair in scored if not np.isnan(pair[0])), key=lambda pair: pair[0])
        return [section for _, section in ranked[:number]]

    def table(self) -> list[dict[str, Any]]:
        """A flat row a section, for `pandas.DataFrame` or `csv.DictWriter`."""
        return [section.row() for section in self.sections]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, texts, lists and dictionaries; `runs.strict_json.dumps` writes them, NaN and infinity too."""
        return _plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Evaluation:
        """An evaluation from what `to_dict` gave, also after JSON.

        Raises:
            ValueError: If it is no such record, lacks something, or is of another version.
        """
        version = record.get("version") if isinstance(record, Mapping) else None
        if version != VERSION:
            raise ValueError(
                f"`record` must be what `Evaluation.to_dict` gave, version {VERSION}. Received: version={version!r}. "
                "Evaluate again, or read it with the unetdyn that wrote it."
            )
        try:  # as JSON, where lists are tuples and nothing else is taken for what it is not
            text = json.dumps(restore_numbers(_plain(dict(record))))
            return TypeAdapter(cls).validate_json(text, strict=True)
        except (ValidationError, TypeError, KeyError) as error:
            raise ValueError(f"`record` must be what `Evaluation.to_dict` gave. Received: {error}") from None

    def _rows(self) -> list[tuple[str, str]]:
        return [(name, _shown(estimate, name in DISTANCES, self.unit)) for name, estimate in self.whole.items()] + [
            ("ECE", _shown(self.calibration.ece)),
            ("best threshold", number(self.thresholds.best_threshold)),
            ("worst section", ", ".join(section.name for section in self.worst(1))),
        ]


def _shown(estimate: Estimate, distance: bool = False, unit: str = "") -> str:
    ends = interval(estimate.low, estimate.high) if estimate.determined else f"no interval: {estimate.reason}"
    of = f" {unit}" if distance and unit else ""
    return f"{number(estimate.value)}{of} ({ends}), n = {estimate.n}"


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, at any depth."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
