"""The trainings that are compared: two set-ups, and in each nothing, Keras' own control, and every one of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from unetdyn import callbacks
from unetdyn.data import TileDataset

EPOCHS = 40


@dataclass(frozen=True)
class Setup:
    """How a net is trained where nothing controls it.

    Attributes:
        rate: Of Adam.
        batch_size: Tiles in a step.
    """

    rate: float
    batch_size: int


SETUPS = {"calm": Setup(1e-3, 8), "restless": Setup(2e-2, 4)}
"""The studies' rate, and one twenty times as large with half the batch."""

NOTHING = "nothing"

Make = Callable[[TileDataset], list[Any]]

ARMS: dict[str, Make] = {
    NOTHING: lambda data: [],
    "ReduceLROnPlateau": lambda data: [keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=5)],
    "ConvergenceStopping": lambda data: [callbacks.ConvergenceStopping(min_epochs=20, verbose=0)],
    "StabilityControl": lambda data: [callbacks.StabilityControl(sigma=0.02, calm_sigma=0.01, verbose=0)],
    "DivergenceRollback": lambda data: [callbacks.DivergenceRollback(verbose=0)],
    "AutoClip": lambda data: [callbacks.AutoClip()],
    "AdaptiveGradientClipping": lambda data: [callbacks.AdaptiveGradientClipping(0.01, exclude=("head",))],
    "RunningAverageClipping": lambda data: [callbacks.RunningAverageClipping()],
    "GradientNoise": lambda data: [callbacks.GradientNoise(1e-4)],
    "BatchSizeSchedule": lambda data: [callbacks.BatchSizeSchedule.growing(data, every=10)],
}
"""By name, what goes into `fit`. Their own defaults but for what a training of 40 epochs needs."""
