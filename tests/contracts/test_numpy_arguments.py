"""Numbers of NumPy are taken as arguments, and kept as Python's: a configuration is saved as JSON."""

import json

import numpy as np
import pytest

from unetdyn import callbacks, losses, metrics, schedules
from unetdyn.analysis import stability

WHOLE, REAL = np.int64(40), np.float32(0.25)

UNITS = [
    callbacks.AdaptiveGradientClipping(clipping=REAL, eps=REAL),
    callbacks.AutoClip(percentile=REAL, history=WHOLE),
    callbacks.ConvergenceStopping("change", WHOLE, settings={"tolerance": REAL}),
    callbacks.DivergenceRollback(REAL, WHOLE, k=REAL, window=WHOLE),
    callbacks.GradientMonitor(explode=WHOLE, vanish=REAL, spike=np.float32(8), window=WHOLE),
    callbacks.GradientNoise(eta=REAL, gamma=REAL, seed=WHOLE),
    callbacks.LiveDashboard(window=WHOLE, every_seconds=REAL),
    callbacks.MomentumCycle(REAL, REAL, schedules.OneCycle(REAL, WHOLE)),
    callbacks.NoiseScaleMonitor(batch_size=WHOLE, window=WHOLE, dataset_size=WHOLE, confidence=REAL),
    callbacks.NonFiniteGuard(max_consecutive=WHOLE),
    callbacks.PredictionRecorder(each=WHOLE, every=WHOLE, size=WHOLE, max_bytes=np.int64(10**6), budget=REAL),
    callbacks.RunningAverageClipping(alpha=REAL, decay=REAL),
    callbacks.StabilityControl(REAL, WHOLE, sigma=REAL, calm_sigma=REAL, flip_rate=REAL, cooldown=WHOLE),
    callbacks.StabilityMonitor(window=WHOLE, ddof=np.int64(1)),
    callbacks.UpdateMonitor(low=REAL, high=WHOLE, warmup=WHOLE),
    losses.BCEDiceLoss(REAL, WHOLE, REAL, smooth=REAL, class_weights=np.arange(3)),
    losses.BinaryFocalLoss(WHOLE, pos_weight=REAL, label_smoothing=REAL, alpha=REAL),
    losses.BoundaryLoss(weight=REAL),
    losses.DeepSupervisionLoss(losses.DiceLoss(), np.int64(2), np.array([0.5, 0.25])),
    losses.DiceLoss(smooth=REAL, class_weights=(REAL, WHOLE), ignore_label=REAL),
    losses.FocalTverskyLoss(REAL, REAL, WHOLE, REAL),
    losses.SoftJaccardLoss(smooth=REAL),
    metrics.Dice(threshold=REAL, class_ids=np.arange(2), ignore_label=np.uint8(255)),
    metrics.SoftJaccard(smooth=REAL),
    metrics.ThresholdedJaccard(threshold=REAL, empty=np.float32(0), class_ids=np.arange(2)),
    schedules.CosineRestarts(REAL, WHOLE, multiplier=WHOLE, floor=REAL),
    schedules.InversePowerDecay(REAL, REAL, WHOLE),
    schedules.OneCycle(REAL, WHOLE, pct_start=REAL, div_factor=WHOLE, final_div_factor=WHOLE),
    schedules.StepDecay(REAL, WHOLE, REAL),
    schedules.Warmup(REAL, WHOLE, start=REAL),
    stability([0.5, 0.25], window=np.int64(2), ddof=np.int64(0)),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: type(unit).__name__)
def test_numbers_of_numpy_are_kept_as_pythons(unit):
    assert {name: kept for name, kept in vars(unit).items() if isinstance(kept, np.generic)} == {}
    if hasattr(unit, "get_config"):
        json.dumps(unit.get_config())
