"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

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
    "Stability",
    "StabilityClass",
    "sliding_stability",
    "stability",
    "stability_class",
]
