"""Learning rates that change from step to step: schedules for any Keras optimizer, which a `.keras` file keeps."""

import keras  # noqa: F401  # isort: skip - first: it registers our objects before our modules are half imported

from unetdyn.schedules.cosine_restarts import CosineRestarts
from unetdyn.schedules.inverse_power import InversePowerDecay
from unetdyn.schedules.keras_own import cosine, exponential_decay, inverse_time_decay, warmup_cosine
from unetdyn.schedules.one_cycle import OneCycle
from unetdyn.schedules.step_decay import StepDecay
from unetdyn.schedules.steps import count_steps
from unetdyn.schedules.warmup import Warmup

__all__ = [
    "CosineRestarts",
    "InversePowerDecay",
    "OneCycle",
    "StepDecay",
    "Warmup",
    "cosine",
    "count_steps",
    "exponential_decay",
    "inverse_time_decay",
    "warmup_cosine",
]
