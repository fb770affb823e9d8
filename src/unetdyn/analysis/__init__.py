"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend.

A name loads its module when it is first asked for, so that σ of ten numbers does not wait for the analysis of variance.
"""

from typing import TYPE_CHECKING

from unetdyn._lazy import load_when_asked

if TYPE_CHECKING:
    from unetdyn.analysis.collapse_events import Collapse, Collapses, collapses
    from unetdyn.analysis.comparison.analysis_of_variance import Anova, Block, Effect, anova, anova_power
    from unetdyn.analysis.comparison.assumptions import Assumptions, assumptions
    from unetdyn.analysis.comparison.choices import Choice
    from unetdyn.analysis.comparison.components import Component, VarianceComponents, variance_components
    from unetdyn.analysis.comparison.decision_matrix import DecisionMatrix, Standing, decision_matrix
    from unetdyn.analysis.comparison.detectable_differences import smallest_difference
    from unetdyn.analysis.comparison.effect_intervals import EffectInterval, EffectIntervals, effect_intervals
    from unetdyn.analysis.comparison.exponent import StabilityExponent, stability_exponent
    from unetdyn.analysis.comparison.importance import Importance, Share, importance
    from unetdyn.analysis.comparison.improvement import Improvement, improvement_factor
    from unetdyn.analysis.comparison.level_differences import LevelDifference
    from unetdyn.analysis.comparison.many_runs import as_summaries
    from unetdyn.analysis.comparison.missing_cells import MissingCells, MissingRun, missing_cells
    from unetdyn.analysis.comparison.multiplicity import AdjustedTests, adjusted_tests, holm
    from unetdyn.analysis.comparison.next_runs import NextRuns, Precision, next_runs
    from unetdyn.analysis.comparison.probability_of_best import Candidate, ProbabilityOfBest, probability_of_best
    from unetdyn.analysis.comparison.ranking import (
        BestWithin,
        Front,
        Ranking,
        best_within,
        combined_score,
        min_max_score,
        pareto_front,
    )
    from unetdyn.analysis.comparison.recommendation import Recommendation, recommend
    from unetdyn.analysis.comparison.residual_checks import Check, Residual
    from unetdyn.analysis.comparison.robust_tests import RobustTest, RobustTests, robust_tests
    from unetdyn.analysis.comparison.slopes import Sensitivity, Slope, sensitivity
    from unetdyn.analysis.comparison.summary import RunSummary, summarise
    from unetdyn.analysis.convergence_summary import Convergence, convergence
    from unetdyn.analysis.criteria import (
        ChangeCriterion,
        Criterion,
        StabilityCriterion,
        converged_by_change,
        converged_by_stability,
    )
    from unetdyn.analysis.curves import Curves, read_history
    from unetdyn.analysis.diagnosis.finding import Finding
    from unetdyn.analysis.diagnosis.verdict import Diagnosis, diagnose
    from unetdyn.analysis.fitting.asymptote import fit_convergence
    from unetdyn.analysis.fitting.held_out import HeldOutTail
    from unetdyn.analysis.fitting.result import ConvergenceFit
    from unetdyn.analysis.fitting.second_descent import DoubleDescentFit, fit_double_descent
    from unetdyn.analysis.gradient_criterion import GradientCriterion, converged_by_gradient
    from unetdyn.analysis.health import TrainingHealth, TrainingStability, training_health, training_stability
    from unetdyn.analysis.improvement_criterion import ImprovementCriterion, converged_by_improvement
    from unetdyn.analysis.laws import (
        batch_gradient_variance,
        batch_size_for_data,
        learning_rate_for_noise_and_curvature,
        learning_rate_for_size,
        optimal_momentum,
        statistical_power_ratio,
        warmup_epochs,
    )
    from unetdyn.analysis.overfitting_onset import Overfitting, overfitting
    from unetdyn.analysis.phases import TrainingPhases, training_phases
    from unetdyn.analysis.quoted_table import QuotedTable
    from unetdyn.analysis.regimes import TrainingRegime, training_regime
    from unetdyn.analysis.result import KeyedResult, Result
    from unetdyn.analysis.second_descents import DoubleDescent, double_descent
    from unetdyn.analysis.series import Curve
    from unetdyn.analysis.slope_criterion import SlopeCriterion, converged_by_slope
    from unetdyn.analysis.stability_classes import (
        STABILITY_CLASSES,
        Stability,
        StabilityClass,
        sliding_stability,
        stability,
        stability_class,
    )
    from unetdyn.analysis.studies_functions import (
        analyze_training_stability,
        check_convergence,
        classify_stability,
        compute_training_health,
    )
    from unetdyn.analysis.studies_tables import STUDIES_TABLES
    from unetdyn.analysis.swings import Oscillation, oscillation
    from unetdyn.analysis.thresholds.every_threshold import ThresholdCurve, threshold_curve
    from unetdyn.analysis.thresholds.pixel_errors import JaccardSensitivity, jaccard_sensitivity
    from unetdyn.analysis.updates import (
        UpdateVarianceRatio,
        patience,
        scale_learning_rate,
        update_variance,
        update_variance_ratio,
    )

__all__ = [
    "STABILITY_CLASSES",
    "STUDIES_TABLES",
    "AdjustedTests",
    "Anova",
    "Assumptions",
    "BestWithin",
    "Block",
    "Candidate",
    "ChangeCriterion",
    "Check",
    "Choice",
    "Collapse",
    "Collapses",
    "Component",
    "Convergence",
    "ConvergenceFit",
    "Criterion",
    "Curve",
    "Curves",
    "DecisionMatrix",
    "Diagnosis",
    "DoubleDescent",
    "DoubleDescentFit",
    "Effect",
    "EffectInterval",
    "EffectIntervals",
    "Finding",
    "Front",
    "GradientCriterion",
    "HeldOutTail",
    "Importance",
    "Improvement",
    "ImprovementCriterion",
    "JaccardSensitivity",
    "KeyedResult",
    "LevelDifference",
    "MissingCells",
    "MissingRun",
    "NextRuns",
    "Oscillation",
    "Overfitting",
    "Precision",
    "ProbabilityOfBest",
    "QuotedTable",
    "Ranking",
    "Recommendation",
    "Residual",
    "Result",
    "RobustTest",
    "RobustTests",
    "RunSummary",
    "Sensitivity",
    "Share",
    "Slope",
    "SlopeCriterion",
    "Stability",
    "StabilityClass",
    "StabilityCriterion",
    "StabilityExponent",
    "Standing",
    "ThresholdCurve",
    "TrainingHealth",
    "TrainingPhases",
    "TrainingRegime",
    "TrainingStability",
    "UpdateVarianceRatio",
    "VarianceComponents",
    "adjusted_tests",
    "analyze_training_stability",
    "anova",
    "anova_power",
    "as_summaries",
    "assumptions",
    "batch_gradient_variance",
    "batch_size_for_data",
    "best_within",
    "check_convergence",
    "classify_stability",
    "collapses",
    "combined_score",
    "compute_training_health",
    "converged_by_change",
    "converged_by_gradient",
    "converged_by_improvement",
    "converged_by_slope",
    "converged_by_stability",
    "convergence",
    "decision_matrix",
    "diagnose",
    "double_descent",
    "effect_intervals",
    "fit_convergence",
    "fit_double_descent",
    "holm",
    "importance",
    "improvement_factor",
    "jaccard_sensitivity",
    "learning_rate_for_noise_and_curvature",
    "learning_rate_for_size",
    "min_max_score",
    "missing_cells",
    "next_runs",
    "optimal_momentum",
    "oscillation",
    "overfitting",
    "pareto_front",
    "patience",
    "probability_of_best",
    "read_history",
    "recommend",
    "robust_tests",
    "scale_learning_rate",
    "sensitivity",
    "sliding_stability",
    "smallest_difference",
    "stability",
    "stability_class",
    "stability_exponent",
    "statistical_power_ratio",
    "summarise",
    "threshold_curve",
    "training_health",
    "training_phases",
    "training_regime",
    "training_stability",
    "update_variance",
    "update_variance_ratio",
    "variance_components",
    "warmup_epochs",
]

_NAMES = {
    "collapse_events": ("Collapse", "Collapses", "collapses"),
    "comparison.analysis_of_variance": ("Anova", "Block", "Effect", "anova", "anova_power"),
    "comparison.assumptions": ("Assumptions", "assumptions"),
    "comparison.decision_matrix": (
        "DecisionMatrix",
        "Standing",
        "decision_matrix",
    ),
    "comparison.detectable_differences": ("smallest_difference",),
    "comparison.effect_intervals": (
        "EffectInterval",
        "EffectIntervals",
        "effect_intervals",
    ),
    "comparison.importance": (
        "Importance",
        "Share",
        "importance",
    ),
    "comparison.level_differences": ("LevelDifference",),
    "comparison.missing_cells": (
        "MissingCells",
        "MissingRun",
        "missing_cells",
    ),
    "comparison.multiplicity": (
        "AdjustedTests",
        "adjusted_tests",
        "holm",
    ),
    "comparison.next_runs": (
        "NextRuns",
        "Precision",
        "next_runs",
    ),
    "comparison.probability_of_best": (
        "Candidate",
        "ProbabilityOfBest",
        "probability_of_best",
    ),
    "comparison.residual_checks": ("Check", "Residual"),
    "comparison.robust_tests": (
        "RobustTest",
        "RobustTests",
        "robust_tests",
    ),
    "comparison.choices": ("Choice",),
    "comparison.components": ("Component", "VarianceComponents", "variance_components"),
    "comparison.exponent": ("StabilityExponent", "stability_exponent"),
    "comparison.improvement": ("Improvement", "improvement_factor"),
    "comparison.many_runs": ("as_summaries",),
    "comparison.ranking": (
        "BestWithin",
        "Front",
        "Ranking",
        "best_within",
        "combined_score",
        "min_max_score",
        "pareto_front",
    ),
    "comparison.recommendation": ("Recommendation", "recommend"),
    "comparison.slopes": ("Sensitivity", "Slope", "sensitivity"),
    "comparison.summary": ("RunSummary", "summarise"),
    "convergence_summary": ("Convergence", "convergence"),
    "criteria": ("ChangeCriterion", "Criterion", "StabilityCriterion", "converged_by_change", "converged_by_stability"),
    "curves": ("Curves", "read_history"),
    "diagnosis.finding": ("Finding",),
    "diagnosis.verdict": ("Diagnosis", "diagnose"),
    "fitting.asymptote": ("fit_convergence",),
    "fitting.held_out": ("HeldOutTail",),
    "fitting.result": ("ConvergenceFit",),
    "fitting.second_descent": ("DoubleDescentFit", "fit_double_descent"),
    "gradient_criterion": (
        "GradientCriterion",
        "converged_by_gradient",
    ),
    "health": ("TrainingHealth", "TrainingStability", "training_health", "training_stability"),
    "improvement_criterion": (
        "ImprovementCriterion",
        "converged_by_improvement",
    ),
    "laws": (
        "batch_gradient_variance",
        "batch_size_for_data",
        "learning_rate_for_noise_and_curvature",
        "learning_rate_for_size",
        "optimal_momentum",
        "statistical_power_ratio",
        "warmup_epochs",
    ),
    "overfitting_onset": ("Overfitting", "overfitting"),
    "phases": (
        "TrainingPhases",
        "training_phases",
    ),
    "regimes": (
        "TrainingRegime",
        "training_regime",
    ),
    "quoted_table": ("QuotedTable",),
    "result": ("KeyedResult", "Result"),
    "second_descents": ("DoubleDescent", "double_descent"),
    "series": ("Curve",),
    "slope_criterion": ("SlopeCriterion", "converged_by_slope"),
    "stability_classes": (
        "STABILITY_CLASSES",
        "Stability",
        "StabilityClass",
        "sliding_stability",
        "stability",
        "stability_class",
    ),
    "studies_functions": (
        "analyze_training_stability",
        "check_convergence",
        "classify_stability",
        "compute_training_health",
    ),
    "swings": ("Oscillation", "oscillation"),
    "studies_tables": ("STUDIES_TABLES",),
    "thresholds.every_threshold": ("ThresholdCurve", "threshold_curve"),
    "thresholds.pixel_errors": ("JaccardSensitivity", "jaccard_sensitivity"),
    "updates": (
        "UpdateVarianceRatio",
        "patience",
        "scale_learning_rate",
        "update_variance",
        "update_variance_ratio",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # a type checker that saw `__getattr__` would let any misspelt name pass
    __getattr__, __dir__ = load_when_asked(__name__, _MODULES)
