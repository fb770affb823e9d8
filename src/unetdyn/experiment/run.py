"""One experiment from its configuration to its run directory."""

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import keras

from unetdyn import callbacks, runs
from unetdyn._warnings import warn
from unetdyn.analysis.recorded_settings import stability_settings
from unetdyn.experiment.averaged_weights import AveragedWeights
from unetdyn.experiment.build import build_model, precision_of
from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError
from unetdyn.experiment.monitors import monitors_of
from unetdyn.experiment.plateaus import reduce_lr_on_plateau
from unetdyn.experiment.prepare import Prepared, prepare
from unetdyn.experiment.progress import Progress
from unetdyn.experiment.stages import Cycles, check_stages, momentum_cycles, train
from unetdyn.report import HistoryDisplay
from unetdyn.runs.claim import siblings

COLUMNS = ("loss", "jaccard", "val_loss", "val_jaccard", "val_soft_jaccard", "stability")


def run_experiment(config: Config, stream: TextIO | None = None) -> runs.Run:
    """Train as configured, and leave a run directory with the history, the best model and a picture.

    Args:
        config: The experiment, from `load_config` or `parse_config`.
        stream: Where progress is shown; standard output by default.

    Returns:
        The finished run.

    Raises:
        ConfigError: Before anything trains, where data, model and configuration don't fit together.
    """
    keras.utils.set_random_seed(config.seed)
    stream = stream if stream is not None else sys.stdout
    with suppress(OSError, ValueError):  # a closed terminal or pipe ends no training
        stream.write("Preparing the sections\n")
        stream.flush()
    try:
        prepared = prepare(config)
        steps = len(prepared.train)
        model = build_model(config, prepared.channels, steps)
        cycles = momentum_cycles(config)
        check_stages(model, config, steps, cycles)
        recorder, watching = _callbacks(config, stream, cycles)
    except (ValueError, OSError, ImportError) as error:
        raise ConfigError(str(error)) from error
    try:
        train(model, config, prepared, recorder, watching, cycles)
        recorder.conclude(**_test(recorder.path, config, prepared))
    except BaseException as error:
        recorder.fail(error)
        error.add_note(f"What there is of the run is in {recorder.path}.")
        _draw(recorder.path)
        raise
    _draw(recorder.path)
    return runs.open(recorder.path)


def _draw(path: Path) -> None:
    """The picture of what there is, if an epoch was completed; where that fails, the run is what it was."""
    try:
        run = runs.open(path)
        if run.epochs:
            HistoryDisplay.from_run(run, **stability_settings(run.config)).plot().save(path / "history.png")
    except Exception as error:
        warn("picture.failed", f"{path / 'history.png'} could not be drawn. {type(error).__name__}: {error}")


def _callbacks(
    config: Config, stream: TextIO, cycles: Cycles
) -> tuple[callbacks.RunRecorder, list[keras.callbacks.Callback]]:
    """In the order in which they see `logs`: what adds to them first, what writes them down last.

    Cycles of the momentum belong to one stage each; what they record is kept with the rest.
    """
    # Each leaves its arrays in the run directory's `dynamics/`, and what it says among its events.
    settings, monitors = config.callbacks, monitors_of(config.callbacks, config.fit)
    record = partial(
        callbacks.RunRecorder,
        config=config.model_dump(mode="json"),
        seed=config.seed,
        save_best=settings.save_best,
        monitors=[*monitors, *cycles.values()],
    )
    recorder = record(config.run_directory) if config.run_directory else _in_new_directory(record, config.name)
    first = [each for each in monitors if isinstance(each, callbacks.DivergenceRollback)]  # it keeps the weights
    others = [each for each in monitors if each not in first]  # that training goes on from, not their averages
    watching = [*first, AveragedWeights(), *others, Progress(stream, COLUMNS), recorder]
    if settings.reduce_lr_on_plateau is not None:  # it notes the rate that the epoch had, before it lowers it
        watching.insert(1 + len(monitors), reduce_lr_on_plateau(settings.reduce_lr_on_plateau))
    return recorder, watching


def _in_new_directory(record: Callable[[Path], callbacks.RunRecorder], name: str) -> callbacks.RunRecorder:
    """Named by the moment; with a number, where another experiment began in the same second."""
    base = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    for path in chain([base], siblings(base)):
        with suppress(FileExistsError):
            return record(path)
    raise AssertionError("there is no end of numbers")


def _test(path: Path, config: Config, prepared: Prepared) -> dict[str, Any]:
    """The saved model's figures on the test sections, which neither training nor the choice of the epoch saw."""
    if prepared.test is None or runs.open(path).model_path is None:  # a full disk has kept none, which was told
        return {}
    with precision_of(config):  # in another one, Keras would not expect an optimizer that scales the loss
        best = keras.saving.load_model(path / "model.keras")
    figures = best.evaluate(prepared.test, verbose=0, return_dict=True)
    return {f"test_{name}": float(value) for name, value in figures.items()}
