"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.convergence import Convergence, convergence
from unetdyn.analysis.criteria import (
    ChangeCriterion,
    Criterion,
    StabilityCriterion,
    converged_by_change,
    converged_by_stability,
)
from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.double_descent import DoubleDescent, double_descent
from unetdyn.analysis.equivalence import SlopeCriterion, converged_by_slope
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
    "ChangeCriterion",
    "Convergence",
    "Criterion",
    "Curve",
    "Curves",
    "DoubleDescent",
    "Result",
    "SlopeCriterion",
    "Stability",
    "StabilityClass",
    "StabilityCriterion",
    "UpdateVarianceRatio",
    "converged_by_change",
    "converged_by_slope",
    "converged_by_stability",
    "convergence",
    "double_descent",
    "patience",
    "read_history",
    "scale_learning_rate",
    "sliding_stability",
    "stability",
    "stability_class",
    "update_variance",
    "update_variance_ratio",
]
