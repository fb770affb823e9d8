"""Runs as pictures (matplotlib Display objects) and as one-file HTML reports."""

from unetdyn.report.calibration import CalibrationDisplay
from unetdyn.report.cell_curves import CellCurvesDisplay
from unetdyn.report.comparison import ComparisonDisplay
from unetdyn.report.convergence import ConvergenceDisplay
from unetdyn.report.exponent import ExponentDisplay
from unetdyn.report.findings import FindingsDisplay
from unetdyn.report.flip_map import FlipMapDisplay
from unetdyn.report.gradients import GradientDisplay
from unetdyn.report.heatmap import BlockHeatmapDisplay
from unetdyn.report.history import HistoryDisplay
from unetdyn.report.importance import ImportanceDisplay
from unetdyn.report.interactions import InteractionsDisplay
from unetdyn.report.main_effects import MainEffectsDisplay
from unetdyn.report.noise_scale import NoiseScaleDisplay
from unetdyn.report.overlay import OverlayDisplay
from unetdyn.report.page.html import write_report
from unetdyn.report.predictions import PredictionDisplay
from unetdyn.report.residuals import ResidualsDisplay
from unetdyn.report.schedule import ScheduleDisplay
from unetdyn.report.section_scores import SectionScoresDisplay
from unetdyn.report.sections import SectionsDisplay
from unetdyn.report.six_ious import SixIousDisplay
from unetdyn.report.stability import StabilityDisplay
from unetdyn.report.threshold import ThresholdDisplay
from unetdyn.report.threshold_choice import ThresholdChoiceDisplay

__all__ = [
    "BlockHeatmapDisplay",
    "CalibrationDisplay",
    "CellCurvesDisplay",
    "ComparisonDisplay",
    "ConvergenceDisplay",
    "ExponentDisplay",
    "FindingsDisplay",
    "FlipMapDisplay",
    "GradientDisplay",
    "HistoryDisplay",
    "ImportanceDisplay",
    "InteractionsDisplay",
    "MainEffectsDisplay",
    "NoiseScaleDisplay",
    "OverlayDisplay",
    "PredictionDisplay",
    "ResidualsDisplay",
    "ScheduleDisplay",
    "SectionScoresDisplay",
    "SectionsDisplay",
    "SixIousDisplay",
    "StabilityDisplay",
    "ThresholdChoiceDisplay",
    "ThresholdDisplay",
    "write_report",
]
