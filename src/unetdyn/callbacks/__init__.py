"""What a user passes to `fit`: monitors measure and never change training."""

import keras  # noqa: F401  # isort: skip - first: it registers our objects before our modules are half imported

from unetdyn.callbacks.run_recorder import RunRecorder
from unetdyn.callbacks.stability import StabilityMonitor

__all__ = ["RunRecorder", "StabilityMonitor"]
