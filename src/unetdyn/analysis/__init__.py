"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.collapses import Collapse, Collapses, collapses
from unetdyn.analysis.comparison.anova import Anova, Effect, anova, anova_power
from unetdyn.analysis.comparison.choices import Choice
from unetdyn.analysis.comparison.components import Component, VarianceComponents, variance_components
from unetdyn.analysis.comparison.effects import Sensitivity, Slope, sensitivity
from unetdyn.analysis.comparison.exponent import StabilityExponent, stability_exponent
from unetdyn.analysis.comparison.improvement import Improvement, improvement_factor
from unetdyn.analysis.comparison.on_record import ON_RECORD, Record
from unetdyn.analysis.comparison.ranking import BestWithin, Front, Ranking, best_within, combined_score, pareto_front
from unetdyn.analysis.comparison.recommend import Recommendation, recommend
from unetdyn.analysis.comparison.summary import RunSummary, as_summaries, summarise
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
from unetdyn.analysis.fitting.fit_convergence import fit_convergence
from unetdyn.analysis.fitting.held_out import HeldOutTail
from unetdyn.analysis.fitting.result import ConvergenceFit
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
from unetdyn.analysis.thresholds.jaccard_sensitivity import JaccardSensitivity, jaccard_sensitivity
from unetdyn.analysis.thresholds.threshold_curve import ThresholdCurve, threshold_curve
from unetdyn.analysis.updates import (
    UpdateVarianceRatio,
    patience,
    scale_learning_rate,
    update_variance,
    update_variance_ratio,
)

__all__ = [
    "ON_RECORD",
    "STABILITY_CLASSES",
    "Anova",
    "BestWithin",
    "ChangeCriterion",
    "Choice",
    "Collapse",
    "Collapses",
    "Component",
    "Convergence",
    "ConvergenceFit",
    "Criterion",
    "Curve",
    "Curves",
    "DoubleDescent",
    "Effect",
    "Front",
    "HeldOutTail",
    "Improvement",
    "JaccardSensitivity",
    "KeyedResult",
    "Oscillation",
    "Overfitting",
    "Ranking",
    "Recommendation",
    "Record",
    "Result",
    "RunSummary",
    "Sensitivity",
    "Slope",
    "SlopeCriterion",
    "Stability",
    "StabilityClass",
    "StabilityCriterion",
    "StabilityExponent",
    "ThresholdCurve",
    "TrainingHealth",
    "TrainingStability",
    "UpdateVarianceRatio",
    "VarianceComponents",
    "anova",
    "anova_power",
    "as_summaries",
    "best_within",
    "collapses",
    "combined_score",
    "converged_by_change",
    "converged_by_slope",
    "converged_by_stability",
    "convergence",
    "double_descent",
    "fit_convergence",
    "improvement_factor",
    "jaccard_sensitivity",
    "oscillation",
    "overfitting",
    "pareto_front",
    "patience",
    "read_history",
    "recommend",
    "scale_learning_rate",
    "sensitivity",
    "sliding_stability",
    "stability",
    "stability_class",
    "stability_exponent",
    "summarise",
    "threshold_curve",
    "training_health",
    "training_stability",
    "update_variance",
    "update_variance_ratio",
    "variance_components",
]
