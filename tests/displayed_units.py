"""The displays that must pass tests/contracts/test_display_contract.py; a new one belongs here."""

import numpy as np

from predicted import planted_record
from unetdyn.report import (
    BlockHeatmapDisplay,
    ComparisonDisplay,
    ConvergenceDisplay,
    FindingsDisplay,
    FlipMapDisplay,
    GradientDisplay,
    HistoryDisplay,
    NoiseScaleDisplay,
    OverlayDisplay,
    PredictionDisplay,
    ScheduleDisplay,
    StabilityDisplay,
    ThresholdDisplay,
)

LOSS = [0.9, 0.5, 0.4, 0.45, 0.41, np.nan]
HISTORY = {"loss": LOSS, "val_loss": LOSS, "val_jaccard": [0.1, 0.5, 0.6, 0.55, 0.7, 0.65], "learning_rate": [1e-3] * 6}
RUNS = {"calm": HISTORY, "wild": HISTORY | {"val_loss": [0.4, 2.0, 0.3, 1.0, 0.5, 0.6]}}
STEPS = {"step": np.arange(6), "grad_norm": np.array(LOSS), "explode": 10.0, "block_grad_norm": {"enc1": LOSS}}
ESTIMATES = {
    "step": [99, 199],
    "noise_scale": [20.0, np.nan],
    "noise_scale_low": [15.0, 80.0],
    "noise_scale_high": [30.0, np.inf],
    "trace_covariance": [40.0, 30.0],
    "gradient_sq": [2.0, -0.5],
    "batch_size": [8, 8],
}
FLIPS = {
    "epoch": [0, 1, 2],
    **{name: [0.2, np.nan, 0.6] for name in ("jaccard", "best_jaccard", "soft_jaccard")},
    **{name: [np.nan, np.nan, 0.25] for name in ("on", "off")},
    "flip_count": np.arange(60).reshape(5, 4, 3) % 2,
    "target": np.arange(60).reshape(5, 4, 3) % 3 > 0,
}
MASKS, PROBABILITIES = np.array([[0, 0, 1, 1]]), np.array([[0.1, 0.4, 0.35, 0.8]])

DISPLAYS = {
    "BlockHeatmapDisplay": lambda: BlockHeatmapDisplay.from_record(STEPS),
    "ComparisonDisplay": lambda: ComparisonDisplay.from_runs(RUNS, window=3),
    "ConvergenceDisplay": lambda: ConvergenceDisplay.from_history(HISTORY),
    "FindingsDisplay": lambda: FindingsDisplay.from_history(HISTORY, window=3),
    "FlipMapDisplay": lambda: FlipMapDisplay.from_record(FLIPS),
    "GradientDisplay": lambda: GradientDisplay.from_record(STEPS, blocks=True),
    "HistoryDisplay": lambda: HistoryDisplay.from_history(HISTORY, window=3),
    "NoiseScaleDisplay": lambda: NoiseScaleDisplay.from_record(ESTIMATES),
    "OverlayDisplay": lambda: OverlayDisplay.from_runs(RUNS),
    "PredictionDisplay": lambda: PredictionDisplay.from_record(planted_record()),
    "ScheduleDisplay": lambda: ScheduleDisplay.from_schedules({"falls": lambda step: 1 / (1 + step), "stays": 0.5}, 20),
    "StabilityDisplay": lambda: StabilityDisplay.from_history(HISTORY, window=3),
    "ThresholdDisplay": lambda: ThresholdDisplay.from_predictions(MASKS, PROBABILITIES),
}
"""By name, a function that makes the display."""
