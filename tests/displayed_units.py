"""The displays that must pass tests/contracts/test_display_contract.py; a new one belongs here."""

import numpy as np

from predicted import planted_record
from unetdyn.analysis import Curve, Share, stability_exponent, summarise, threshold_curve
from unetdyn.evaluation import evaluate_sections
from unetdyn.report import (
    BlockHeatmapDisplay,
    CalibrationDisplay,
    CellCurvesDisplay,
    ComparisonDisplay,
    ConvergenceDisplay,
    ExponentDisplay,
    FindingsDisplay,
    FlipMapDisplay,
    GradientDisplay,
    HistoryDisplay,
    ImportanceDisplay,
    InteractionsDisplay,
    MainEffectsDisplay,
    NoiseScaleDisplay,
    OverlayDisplay,
    PredictionDisplay,
    ResidualsDisplay,
    ScheduleDisplay,
    SectionScoresDisplay,
    SectionsDisplay,
    SixIousDisplay,
    StabilityDisplay,
    ThresholdChoiceDisplay,
    ThresholdDisplay,
)
from unetdyn.report.levels import Scatter

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
CURVE = threshold_curve(MASKS, PROBABILITIES)
CIRCLES = np.hypot(*np.mgrid[-8:8, -8:8]) < np.array([3, 4, 5])[:, None, None]
FOUND = evaluate_sections(np.where(np.roll(CIRCLES, 1, axis=1), 0.8, 0.1), CIRCLES, tolerance=1, resamples=100)
SECTIONS = {"image": (CIRCLES * 200)[..., np.newaxis], "probability": 0.9 * CIRCLES, "name": ["a", "b", "c"]}
CELL = Curve(np.arange(6), np.array([0.1, 0.5, 0.6, np.nan, 0.7, 0.65]))
RATES = ([1e-4, 1e-3, 1e-2], [0.001, 0.0033, 0.0095])
SEEDS = [
    summarise({"val_jaccard": [value]}, f"{batch}-{place}", {"batch_size": batch})
    for batch, values in {8: [0.61, 0.63, 0.66], 16: [0.7, 0.76, 0.71]}.items()
    for place, value in enumerate(values)
]
LEVELS = {"low": [0.5, 0.52, np.nan], "high": [0.6, 0.65]}
PAIRS = {("low", 8): [0.5, 0.52], ("low", 16): [0.55], ("high", 8): [0.6], ("high", 16): []}

DISPLAYS = {
    "BlockHeatmapDisplay": lambda: BlockHeatmapDisplay.from_record(STEPS),
    "CalibrationDisplay": lambda: CalibrationDisplay.from_evaluation(FOUND),
    "CellCurvesDisplay": lambda: CellCurvesDisplay({"a": [CELL, CELL], "b": [CELL]}, "validation Jaccard"),
    "ComparisonDisplay": lambda: ComparisonDisplay.from_runs(RUNS, window=3),
    "ConvergenceDisplay": lambda: ConvergenceDisplay.from_history(HISTORY),
    "ExponentDisplay": lambda: ExponentDisplay({"UNet": RATES}, stability_exponent(*RATES), "σ of the loss"),
    "FindingsDisplay": lambda: FindingsDisplay.from_history(HISTORY, window=3),
    "FlipMapDisplay": lambda: FlipMapDisplay.from_record(FLIPS),
    "GradientDisplay": lambda: GradientDisplay.from_record(STEPS, blocks=True),
    "HistoryDisplay": lambda: HistoryDisplay.from_history(HISTORY, window=3),
    "ImportanceDisplay": lambda: ImportanceDisplay(
        [Share("rate", 0.7, 0.1, 0.6), Share("a × b", 0.1, 0.05, np.nan)], 9
    ),
    "InteractionsDisplay": lambda: InteractionsDisplay(
        {("rate", "batch"): PAIRS, ("rate", "depth"): PAIRS}, Scatter(0.02, 4), "Jaccard"
    ),
    "MainEffectsDisplay": lambda: MainEffectsDisplay({"rate": LEVELS, "depth": LEVELS}, Scatter(0.02, 4), "Jaccard"),
    "NoiseScaleDisplay": lambda: NoiseScaleDisplay.from_record(ESTIMATES),
    "OverlayDisplay": lambda: OverlayDisplay.from_runs(RUNS),
    "PredictionDisplay": lambda: PredictionDisplay.from_record(planted_record()),
    "ResidualsDisplay": lambda: ResidualsDisplay.from_runs(SEEDS, "batch_size"),
    "ScheduleDisplay": lambda: ScheduleDisplay.from_schedules({"falls": lambda step: 1 / (1 + step), "stays": 0.5}, 20),
    "SectionScoresDisplay": lambda: SectionScoresDisplay.from_evaluation(FOUND),
    "SectionsDisplay": lambda: SectionsDisplay(**SECTIONS, threshold=0.5, mask=np.roll(CIRCLES, 1, axis=1)),
    "SixIousDisplay": lambda: SixIousDisplay.from_evaluation(FOUND),
    "StabilityDisplay": lambda: StabilityDisplay.from_history(HISTORY, window=3),
    "ThresholdChoiceDisplay": lambda: ThresholdChoiceDisplay(CURVE, CURVE, "test"),
    "ThresholdDisplay": lambda: ThresholdDisplay.from_predictions(MASKS, PROBABILITIES),
}
"""By name, a function that makes the display."""
