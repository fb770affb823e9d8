"""Predictions and masks in, scores with intervals out: NumPy, SciPy and scikit-learn only, no Keras and no backend.

A name loads its module when it is first asked for.
"""

from typing import TYPE_CHECKING

from unetdyn._lazy import load_when_asked

if TYPE_CHECKING:
    from unetdyn.evaluation.confusion import PixelCounts, PixelScores, pixel_counts
    from unetdyn.evaluation.iou_variants import SixIous, six_ious
    from unetdyn.evaluation.object_counting import ObjectCounts, ObjectScores, object_counts
    from unetdyn.evaluation.record import Evaluation, SectionScores
    from unetdyn.evaluation.reliability import Calibration, calibration
    from unetdyn.evaluation.resampling import Estimate, bootstrap_over_sections
    from unetdyn.evaluation.run_evaluation import (
        RunEvaluation,
        evaluation_of,
        read_run_evaluation,
        write_run_evaluation,
    )
    from unetdyn.evaluation.surfaces import SurfaceScores, surface_scores
    from unetdyn.evaluation.whole_evaluation import evaluate_sections

__all__ = [
    "Calibration",
    "Estimate",
    "Evaluation",
    "ObjectCounts",
    "ObjectScores",
    "PixelCounts",
    "PixelScores",
    "RunEvaluation",
    "SectionScores",
    "SixIous",
    "SurfaceScores",
    "bootstrap_over_sections",
    "calibration",
    "evaluate_sections",
    "evaluation_of",
    "object_counts",
    "pixel_counts",
    "read_run_evaluation",
    "six_ious",
    "surface_scores",
    "write_run_evaluation",
]

_NAMES = {
    "confusion": ("PixelCounts", "PixelScores", "pixel_counts"),
    "iou_variants": ("SixIous", "six_ious"),
    "object_counting": ("ObjectCounts", "ObjectScores", "object_counts"),
    "record": ("Evaluation", "SectionScores"),
    "reliability": ("Calibration", "calibration"),
    "resampling": ("Estimate", "bootstrap_over_sections"),
    "run_evaluation": ("RunEvaluation", "evaluation_of", "read_run_evaluation", "write_run_evaluation"),
    "surfaces": ("SurfaceScores", "surface_scores"),
    "whole_evaluation": ("evaluate_sections",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker that saw `__getattr__` would let any misspelt name pass
    __getattr__, __dir__ = load_when_asked(__name__, _MODULES)
