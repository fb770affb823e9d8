"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""

from unetdyn.analysis.anova import Anova, Effect, anova, anova_power
from unetdyn.analysis.choices import Choice
from unetdyn.analysis.components import Component, VarianceComponents, variance_components
from unetdyn.analysis.curves import Curve, Curves, read_history
from unetdyn.analysis.effects import Sensitivity, Slope, sensitivity
from unetdyn.analysis.exponent import StabilityExponent, stability_exponent
from unetdyn.analysis.improvement import Improvement, improvement_factor
from unetdyn.analysis.jaccard_sensitivity import JaccardSensitivity, jaccard_sensitivity
from unetdyn.analysis.on_record import ON_RECORD, Record
from unetdyn.analysis.ranking import BestWithin, Front, Ranking, best_within, combined_score, pareto_front
from unetdyn.analysis.recommend import Recommendation, recommend
from unetdyn.analysis.result import Result
from unetdyn.analysis.stability import (
    STABILITY_CLASSES,
    Stability,
    StabilityClass,
    sliding_stability,
    stability,
    stability_class,
)
from unetdyn.analysis.summary import RunSummary, as_summaries, summarise
from unetdyn.analysis.threshold_curve import ThresholdCurve, threshold_curve

__all__ = [
    "ON_RECORD",
    "STABILITY_CLASSES",
    "Anova",
    "BestWithin",
    "Choice",
    "Component",
    "Curve",
    "Curves",
    "Effect",
    "Front",
    "Improvement",
    "JaccardSensitivity",
    "Ranking",
    "Recommendation",
    "Record",
    "Result",
    "RunSummary",
    "Sensitivity",
    "Slope",
    "Stability",
    "StabilityClass",
    "StabilityExponent",
    "ThresholdCurve",
    "VarianceComponents",
    "anova",
    "anova_power",
    "as_summaries",
    "best_within",
    "combined_score",
    "improvement_factor",
    "jaccard_sensitivity",
    "pareto_front",
    "read_history",
    "recommend",
    "sensitivity",
    "sliding_stability",
    "stability",
    "stability_class",
    "stability_exponent",
    "summarise",
    "threshold_curve",
    "variance_components",
]
