"""What a user passes to `fit`: monitors measure and never change training."""

import keras  # noqa: F401  # isort: skip - first: it registers our objects before our modules are half imported

from unetdyn.callbacks.gradient import GradientMonitor
from unetdyn.callbacks.noise_scale import NoiseScaleMonitor
from unetdyn.callbacks.run_recorder import RunRecorder
from unetdyn.callbacks.stability import StabilityMonitor
from unetdyn.callbacks.update import UpdateMonitor

__all__ = ["GradientMonitor", "NoiseScaleMonitor", "RunRecorder", "StabilityMonitor", "UpdateMonitor"]
