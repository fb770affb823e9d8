"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.result import Result
from unetdyn.analysis.stability import (
    STABILITY_CLASSES,
    Stability,
    StabilityClass,
    sliding_stability,
    stability,
    stability_class,
)
from unetdyn.analysis.updates import (
    UpdateVarianceRatio,
    patience,
    scale_learning_rate,
    update_variance,
    update_variance_ratio,
)

__all__ = [
    "STABILITY_CLASSES",
    "Curve",
    "Curves",
    "Result",
    "Stability",
    "StabilityClass",
    "UpdateVarianceRatio",
    "patience",
    "read_history",
    "scale_learning_rate",
    "sliding_stability",
    "stability",
    "stability_class",
    "update_variance",
    "update_variance_ratio",
]
