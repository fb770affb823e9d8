"""One pass over sections: each is scored, added to what is summed over all, and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unetdyn.evaluation.confusion import Empty
from unetdyn.evaluation.inputs import checked_spacing
from unetdyn.evaluation.iou_variants import IouSums, iou_sums
from unetdyn.evaluation.object_counting import THRESHOLDS, count_objects
from unetdyn.evaluation.object_matching import components
from unetdyn.evaluation.record import SectionScores
from unetdyn.evaluation.reliability import BINS, BinSums, bin_sums
from unetdyn.evaluation.section_pairs import Section
from unetdyn.evaluation.surfaces import surface_scores_of


@dataclass(frozen=True)
class ScoringRule:
    """How a section is scored: the checked arguments of `evaluate_sections`."""

    threshold: float
    spacing: float | Sequence[float] | None
    tolerance: float | None
    connectivity: Literal["full", "face"] | None
    empty: Literal["perfect", "skip"]
    missed: Literal["inf", "diagonal"]


@dataclass
class SectionPass:
    """What is kept of the sections that have gone by: a few kilobytes each.

    Attributes:
        rule: How they are scored.
        names: Of the sections; None: their numbers.
        scores: Of each section.
        ious: Sums of each section with a pixel that counts.
        bins: Sums for the calibration, likewise.
        spacing: One number an axis, once the first section has come.
    """

    rule: ScoringRule
    names: Iterator[str] | None
    scores: list[SectionScores] = field(default_factory=list)
    ious: list[IouSums] = field(default_factory=list)
    bins: list[BinSums] = field(default_factory=list)
    spacing: tuple[float, ...] = ()

    edges = np.linspace(0, 1, BINS + 1)

    def over(self, sections: Iterable[Section]) -> Iterator[tuple[NDArray, NDArray]]:
        """Score each section; give labels and probabilities of its pixels that count, as `threshold_curve` reads them.

        Raises:
            ValueError: If sections have different numbers of axes, or there are more or fewer names.
        """
        for section in sections:
            self._check_axes(section)
            sums = iou_sums(section, self.rule.threshold)
            self.scores.append(self._scored(section, sums))
            if section.pixels:
                p, y = section.counted_p, section.counted_y
                self.ious.append(sums)
                self.bins.append(bin_sums(p, y, self.edges))
                yield y, p
        if self.names is not None and next(self.names, None) is not None:
            raise ValueError(f"`names` must be as many as the sections. Received: more than {len(self.scores)}.")

    def _check_axes(self, section: Section) -> None:
        axes = section.p.ndim
        if not self.scores:
            if axes < 2:
                raise ValueError(
                    "A section must have two or three axes: (height, width), or (depth, height, width) for a volume. "
                    f"Received: a section of shape {section.p.shape}. Of a single section, pass probabilities[None]."
                )
            if axes == 3 and np.allclose(section.p.sum(axis=-1), 1, atol=1e-3):
                raise ValueError(
                    "A section must have the probabilities of one class. Received: a section of shape "
                    f"{section.p.shape} whose last axis adds up to 1, as the channels of a softmax do. Pass "
                    "probabilities[..., 1] and masks[..., 1] for class 1."
                )
            self.spacing = checked_spacing(self.rule.spacing, axes)
        elif axes != len(self.spacing):
            raise ValueError(
                f"All sections must have as many axes as the first, {len(self.spacing)}. Received: section "
                f"{len(self.scores)}, counted from 0, of shape {section.p.shape}."
            )

    def _scored(self, section: Section, sums: IouSums) -> SectionScores:
        rule = self.rule
        empty = rule.empty if section.pixels else "skip"
        score: Empty = 1.0 if empty == "perfect" else "skip"
        predicted, objects = section.predicted(rule.threshold), None
        if rule.connectivity:
            p, y = (components(mask, rule.connectivity) for mask in (predicted, section.y))
            objects = count_objects(p, y, THRESHOLDS)
        return SectionScores(
            name=self._name(),
            counts=sums.counts,
            pixels=sums.counts.scores(score),
            surfaces=surface_scores_of(predicted, section.y, self.spacing, rule.tolerance, empty, rule.missed),
            objects=objects,
            object_scores=None if objects is None else objects.scores(score),
        )

    def _name(self) -> str:
        if self.names is None:
            return str(len(self.scores))
        name = next(self.names, None)
        if name is None:
            raise ValueError(
                f"`names` must be as many as the sections. Received: {len(self.scores)}, and more sections."
            )
        return str(name)
