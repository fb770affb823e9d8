"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.jaccard_sensitivity import JaccardSensitivity, jaccard_sensitivity
from unetdyn.analysis.result import Result
from unetdyn.analysis.stability import (
    STABILITY_CLASSES,
    Stability,
    StabilityClass,
    sliding_stability,
    stability,
    stability_class,
)
from unetdyn.analysis.threshold_curve import ThresholdCurve, threshold_curve

__all__ = [
    "STABILITY_CLASSES",
    "Curve",
    "Curves",
    "JaccardSensitivity",
    "Result",
    "Stability",
    "StabilityClass",
    "ThresholdCurve",
    "jaccard_sensitivity",
    "read_history",
    "sliding_stability",
    "stability",
    "stability_class",
    "threshold_curve",
]
