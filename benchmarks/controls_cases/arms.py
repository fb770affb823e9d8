"""The trainings that are compared: three set-ups, and in each nothing, Keras' own control, and every one of ours."""

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


SETUPS = {"calm": Setup(3e-3, 8), "restless": Setup(2e-2, 4), "wild": Setup(10.0, 8)}
"""A rate of those that the studies recommend (1e-3 to 5e-3); seven times that with half the batch; 3,000 times that."""

NOTHING = "nothing"

ReduceLROnPlateau = keras.callbacks.ReduceLROnPlateau

ARMS: dict[str, Callable[[TileDataset], Any]] = {
    NOTHING: lambda _: None,
    "ReduceLROnPlateau": lambda _: ReduceLROnPlateau("val_loss", factor=0.5, patience=5),
    "ConvergenceStopping": lambda _: callbacks.ConvergenceStopping(min_epochs=20, verbose=0),
    "StabilityControl": lambda _: callbacks.StabilityControl(verbose=0),
    "DivergenceRollback": lambda _: callbacks.DivergenceRollback(verbose=0),
    "AutoClip": lambda _: callbacks.AutoClip(),
    "AdaptiveGradientClipping": lambda _: callbacks.AdaptiveGradientClipping(exclude=("head",)),
    "RunningAverageClipping": lambda _: callbacks.RunningAverageClipping(),
    "GradientNoise, η 0.01": lambda _: callbacks.GradientNoise(0.01),
    "GradientNoise, η 1e-6": lambda _: callbacks.GradientNoise(1e-6),
    "BatchSizeSchedule": lambda tiles: callbacks.BatchSizeSchedule.growing(tiles, every=10),
}
"""By name, what goes into `fit`: with their own defaults, but for what a training of 40 epochs needs.

Of the noise, the paper's least, and one as large as an entry of the gradient is here.
"""

IN_THE_WILD = (NOTHING, "ReduceLROnPlateau", "StabilityControl", "DivergenceRollback", "AutoClip")
"""Those that have a say where the rate is beyond all measure."""


def arms_of(setup: str) -> list[str]:
    """What is compared in a set-up."""
    return list(IN_THE_WILD if setup == "wild" else ARMS)
