"""Runs as pictures (matplotlib Display objects) and as one-file HTML reports."""

from unetdyn.report.comparison import ComparisonDisplay
from unetdyn.report.convergence import ConvergenceDisplay
from unetdyn.report.findings import FindingsDisplay
from unetdyn.report.flip_map import FlipMapDisplay
from unetdyn.report.gradients import GradientDisplay
from unetdyn.report.heatmap import BlockHeatmapDisplay
from unetdyn.report.history import HistoryDisplay
from unetdyn.report.noise_scale import NoiseScaleDisplay
from unetdyn.report.overlay import OverlayDisplay
from unetdyn.report.page.html import write_report
from unetdyn.report.predictions import PredictionDisplay
from unetdyn.report.schedule import ScheduleDisplay
from unetdyn.report.stability import StabilityDisplay
from unetdyn.report.threshold import ThresholdDisplay

__all__ = [
    "BlockHeatmapDisplay",
    "ComparisonDisplay",
    "ConvergenceDisplay",
    "FindingsDisplay",
    "FlipMapDisplay",
    "GradientDisplay",
    "HistoryDisplay",
    "NoiseScaleDisplay",
    "OverlayDisplay",
    "PredictionDisplay",
    "ScheduleDisplay",
    "StabilityDisplay",
    "ThresholdDisplay",
    "write_report",
]
