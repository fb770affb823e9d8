"""How long a run would take: two of its epochs are trained, in a folder that is gone afterwards."""

from __future__ import annotations

import io
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unetdyn.experiment import Config

EPOCHS = 2
"""The first compiles, the second is the one that is timed."""


@dataclass(frozen=True)
class Timing:
    """What `time_run` found, in seconds.

    Attributes:
        epoch: Of an epoch, with validation and monitors.
        once: Of all that comes once in a run: data, compiling, testing, pictures.
    """

    epoch: float
    once: float

    def of_run(self, epochs: int) -> float:
        """Seconds of a run of so many epochs.

        >>> Timing(epoch=2.0, once=10.0).of_run(30)
        70.0
        """
        return self.once + epochs * self.epoch


def time_run(config: Config) -> Timing:
    """Train two epochs as configured, of the first stage if there are stages, and look at the clock.

    Nothing is left behind, and no state is kept.

    Args:
        config: A checked configuration.

    Raises:
        unetdyn.experiment.ConfigError: If data, model and configuration don't fit together.
    """
    import keras

    from unetdyn.callbacks import RunRecorder
    from unetdyn.experiment.run import assembled_for, carry_out

    class Short(keras.callbacks.Callback):
        """Ends the training after the timed epoch."""

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
            if epoch + 1 >= EPOCHS:
                self.model.stop_training = True

    stage = config.of_stage(config.trained[0])
    with _quiet(), tempfile.TemporaryDirectory(prefix="unetdyn-timing-") as folder:
        path = Path(folder) / "run"
        fit = stage.fit.model_copy(update={"keep_state": False})
        short = stage.model_copy(update={"run_directory": path, "fit": fit})
        began = time.perf_counter()
        made = assembled_for(short, io.StringIO(), None, lambda **settings: RunRecorder(path, **settings))
        made.watching.append(Short())
        run = carry_out(made)
        whole = time.perf_counter() - began
        seconds = [float(epoch["seconds"]) for epoch in run.epochs]
    keras.backend.clear_session()
    return Timing(seconds[-1], max(whole - len(seconds) * seconds[-1], 0.0))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without TensorFlow's advice not to make several models in one process."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
