"""Pictures of a run, as matplotlib Display objects."""

from unetdyn.report.gradients import GradientDisplay
from unetdyn.report.heatmap import BlockHeatmap
from unetdyn.report.history import HistoryDisplay
from unetdyn.report.noise_scale import NoiseScaleDisplay
from unetdyn.report.stability import StabilityDisplay

__all__ = ["BlockHeatmap", "GradientDisplay", "HistoryDisplay", "NoiseScaleDisplay", "StabilityDisplay"]
