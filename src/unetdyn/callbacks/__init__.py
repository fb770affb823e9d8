"""What a user passes to `fit`: monitors measure and never change training, controls act on it."""

import keras  # noqa: F401  # isort: skip - first: it registers our objects before our modules are half imported

from unetdyn.callbacks.adaptive_gradient_clipping import AdaptiveGradientClipping
from unetdyn.callbacks.auto_clip import AutoClip
from unetdyn.callbacks.batch import BatchMonitor
from unetdyn.callbacks.batch_size_schedule import BatchSizeSchedule
from unetdyn.callbacks.convergence_stopping import ConvergenceStopping
from unetdyn.callbacks.divergence_rollback import DivergenceRollback
from unetdyn.callbacks.gradient import GradientMonitor
from unetdyn.callbacks.gradient_noise import GradientNoise
from unetdyn.callbacks.live_dashboard import LiveDashboard
from unetdyn.callbacks.mathematical import MathematicalMonitor
from unetdyn.callbacks.mode_gap import TrainInferenceGapMonitor
from unetdyn.callbacks.momentum_cycle import MomentumCycle
from unetdyn.callbacks.monitor import Monitor
from unetdyn.callbacks.noise_scale import NoiseScaleMonitor
from unetdyn.callbacks.non_finite_guard import NonFiniteGuard
from unetdyn.callbacks.prediction_recorder import PredictionRecorder
from unetdyn.callbacks.resumable_run import ResumableRun
from unetdyn.callbacks.run_recorder import RunRecorder
from unetdyn.callbacks.running_average_clipping import RunningAverageClipping
from unetdyn.callbacks.stability import StabilityMonitor
from unetdyn.callbacks.stability_control import StabilityControl
from unetdyn.callbacks.step_callbacks import StepControl, StepMonitor
from unetdyn.callbacks.threshold_flip import ThresholdFlipMonitor
from unetdyn.callbacks.update import UpdateMonitor
from unetdyn.callbacks.watch import Watch

__all__ = [
    "AdaptiveGradientClipping",
    "AutoClip",
    "BatchMonitor",
    "BatchSizeSchedule",
    "ConvergenceStopping",
    "DivergenceRollback",
    "GradientMonitor",
    "GradientNoise",
    "LiveDashboard",
    "MathematicalMonitor",
    "MomentumCycle",
    "Monitor",
    "NoiseScaleMonitor",
    "NonFiniteGuard",
    "PredictionRecorder",
    "ResumableRun",
    "RunRecorder",
    "RunningAverageClipping",
    "StabilityControl",
    "StabilityMonitor",
    "StepControl",
    "StepMonitor",
    "ThresholdFlipMonitor",
    "TrainInferenceGapMonitor",
    "UpdateMonitor",
    "Watch",
]
