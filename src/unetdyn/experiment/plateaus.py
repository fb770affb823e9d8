"""Keras' callbacks for a training that gets no further, as they are configured."""

from typing import Any

import keras

from unetdyn.analysis.metric_names import less_is_better
from unetdyn.experiment.callbacks_config import EarlyStoppingConfig, ReduceLROnPlateauConfig


def early_stopping(settings: EarlyStoppingConfig, first: int) -> keras.callbacks.EarlyStopping:
    """New for each stage, whose epochs `start_from_epoch` counts; Keras counts those of the run.

    Args:
        settings: As configured.
        first: The first epoch of the stage, from 0.

    Example:
        >>> early_stopping(EarlyStoppingConfig(start_from_epoch=2), first=10).start_from_epoch
        12
    """
    options = _told(settings)
    options["start_from_epoch"] += first
    return keras.callbacks.EarlyStopping(**options)


def reduce_lr_on_plateau(settings: ReduceLROnPlateauConfig) -> keras.callbacks.ReduceLROnPlateau:
    """As configured; it begins anew with each `fit`."""
    return keras.callbacks.ReduceLROnPlateau(**_told(settings))


def _told(settings: EarlyStoppingConfig | ReduceLROnPlateauConfig) -> dict[str, Any]:
    """With what is better: of a monitor's key, such as `stability`, Keras itself would not know."""
    options = settings.model_dump()
    if settings.mode == "auto":
        options["mode"] = "min" if less_is_better(settings.monitor) else "max"
    return options
