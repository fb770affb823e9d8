"""What an experiment trains with, made from its configuration and checked before anything trains."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import keras

from unetdyn import callbacks
from unetdyn.callbacks.resumable_run import ResumableRun
from unetdyn.experiment.averaged_weights import AveragedWeights
from unetdyn.experiment.build import build_model
from unetdyn.experiment.compiled import check_compile_forward
from unetdyn.experiment.config import Config
from unetdyn.experiment.monitors import monitors_of
from unetdyn.experiment.plateaus import reduce_lr_on_plateau
from unetdyn.experiment.prepare import Prepared, prepare
from unetdyn.experiment.progress import Progress
from unetdyn.experiment.stages import Cycles, check_stages, momentum_cycles
from unetdyn.runs.input_recipe import of_config

COLUMNS = ("loss", "jaccard", "val_loss", "val_jaccard", "val_soft_jaccard", "stability")

Record = Callable[..., callbacks.RunRecorder]
"""Makes the recorder, given all its arguments but the directory, and decides on that."""


@dataclass(frozen=True)
class Assembled:
    """Made by `assemble`.

    Attributes:
        config: The experiment.
        prepared: The data.
        model: Compiled for the first stage.
        cycles: What moves the momentum, by stage.
        recorder: Of the run.
        resumable: What keeps its state; None where none is kept.
        watching: The callbacks of all stages, in the order in which they see `logs`: what adds to them first, what
            writes them down last. Recorder and `resumable` are among them.
    """

    config: Config
    prepared: Prepared
    model: keras.Model
    cycles: Cycles
    recorder: callbacks.RunRecorder
    resumable: ResumableRun | None
    watching: list[keras.callbacks.Callback]

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.recorder.path


def assemble(config: Config, stream: TextIO, walltime: float | None, record: Record) -> Assembled:
    """Data, model and callbacks of an experiment.

    Args:
        config: The experiment.
        stream: Where progress is shown.
        walltime: Seconds that the process may run, or None.
        record: Makes the recorder, once all else is known to be right.

    Raises:
        ValueError: Where they don't fit together; OSError or ImportError where the data can't be read.
    """
    if walltime is not None and not config.fit.keep_state:
        raise ValueError("A walltime needs `fit.keep_state`: without it nothing is saved. Received: keep_state=False.")
    check_compile_forward(config)
    keras.utils.set_random_seed(config.seed)
    prepared = prepare(config)
    steps = len(prepared.train)
    model = build_model(config, prepared.channels, steps)
    cycles = momentum_cycles(config)
    check_stages(model, config, steps, cycles)
    settings, monitors = config.callbacks, monitors_of(config.callbacks, config.fit, prepared.train)
    described = config.model_dump(mode="json")
    recorder = record(
        # Each leaves its arrays in the run directory's `dynamics/`, and what it says among its events.
        config=described,
        input_recipe=of_config(described),
        seed=config.seed,
        save_best=settings.save_best,
        monitors=[*monitors, *cycles.values()],
    )
    first = [each for each in monitors if isinstance(each, callbacks.DivergenceRollback)]  # it keeps the weights
    others = [each for each in monitors if each not in first]  # that training goes on from, not their averages
    watching = [*first, AveragedWeights(), *others, Progress(stream, COLUMNS), recorder]
    if settings.reduce_lr_on_plateau is not None:  # it notes the rate that the epoch had, before it lowers it
        watching.insert(1 + len(monitors), reduce_lr_on_plateau(settings.reduce_lr_on_plateau))
    resumable = None
    if config.fit.keep_state:
        resumable = ResumableRun(recorder.path, walltime, verbose=0)
        watching.append(resumable)
    return Assembled(config, prepared, model, cycles, recorder, resumable, watching)
