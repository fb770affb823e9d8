"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.collapses import Collapse, Collapses, collapses
from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.health import TrainingHealth, TrainingStability, training_health, training_stability
from unetdyn.analysis.oscillation import Oscillation, oscillation
from unetdyn.analysis.overfitting import Overfitting, overfitting
from unetdyn.analysis.result import KeyedResult, Result
from unetdyn.analysis.stability import (
    STABILITY_CLASSES,
    Stability,
    StabilityClass,
    sliding_stability,
    stability,
    stability_class,
)

__all__ = [
    "STABILITY_CLASSES",
    "Collapse",
    "Collapses",
    "Curve",
    "Curves",
    "KeyedResult",
    "Oscillation",
    "Overfitting",
    "Result",
    "Stability",
    "StabilityClass",
    "TrainingHealth",
    "TrainingStability",
    "collapses",
    "oscillation",
    "overfitting",
    "read_history",
    "sliding_stability",
    "stability",
    "stability_class",
    "training_health",
    "training_stability",
]
