"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.convergence_held_out import HeldOutTail
from unetdyn.analysis.convergence_result import ConvergenceFit
from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.fit_convergence import fit_convergence
from unetdyn.analysis.result import Result
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
    "ConvergenceFit",
    "Curve",
    "Curves",
    "HeldOutTail",
    "Result",
    "Stability",
    "StabilityClass",
    "fit_convergence",
    "read_history",
    "sliding_stability",
    "stability",
    "stability_class",
]
