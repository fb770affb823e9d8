"""One experiment from its configuration to its run directory."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import keras

from unetdyn import callbacks, runs
from unetdyn._warnings import warn
from unetdyn.analysis.recorded_settings import stability_settings
from unetdyn.callbacks.endings import leave
from unetdyn.experiment.assembled import Assembled, Record, assemble
from unetdyn.experiment.build import precision_of
from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError
from unetdyn.experiment.prepare import Prepared, prepare
from unetdyn.experiment.stages import CutOff, train
from unetdyn.report import HistoryDisplay
from unetdyn.runs.claim import siblings
from unetdyn.runs.resume_command import resume_command
from unetdyn.runs.state_store import STATE, StateStore
from unetdyn.runs.waiting import WaitingWriter


def run_experiment(
    config: Config,
    stream: TextIO | None = None,
    walltime: float | None = None,
    also: Sequence[keras.callbacks.Callback] = (),
) -> runs.Run:
    """Train as configured, and leave a run directory with the history, the best model and a picture.

    What ends the training before its end, a signal or the walltime, leaves a state from which `resume_experiment`
    carries on, unless `fit.keep_state` is false.

    Args:
        config: The experiment, from `load_config` or `parse_config`.
        stream: Where progress is shown; standard output by default.
        walltime: Seconds that the process may run, from its start. Before they are over the state is saved, and
            `unetdyn.callbacks.resumable_run.WalltimeReached` ends it. Default None: as long as it takes.
        also: Further callbacks, which see `logs` when the run has them; one whose attribute `ends_training` is true
            after a stage ends all of them. Default none.

    Returns:
        The finished run.

    Raises:
        ConfigError: Before anything trains, where data, model and configuration don't fit together.
    """
    stream = stream if stream is not None else sys.stdout
    tell(stream, "Preparing the sections")

    def record(**settings: Any) -> callbacks.RunRecorder:
        def make(path: Path) -> callbacks.RunRecorder:
            return _new_recorder(path, settings)

        return make(config.run_directory) if config.run_directory else _in_new_directory(make, config.name)

    made = assembled_for(config, stream, walltime, record)
    made.watching.extend(also)
    return carry_out(made)


def tell(stream: TextIO, text: str) -> None:
    """A line for who watches; a closed terminal or pipe ends no training."""
    with suppress(OSError, ValueError):
        stream.write(text + "\n")
        stream.flush()


def assembled_for(config: Config, stream: TextIO, walltime: float | None, record: Record) -> Assembled:
    """As `assemble` makes it.

    Raises:
        ConfigError: For whatever the user can help.
    """
    try:
        return assemble(config, stream, walltime, record)
    except (ValueError, OSError, ImportError) as error:
        raise ConfigError(str(error)) from error


def carry_out(made: Assembled, cut_off: CutOff | None = None) -> runs.Run:
    """Train, test and draw.

    Args:
        made: From `assembled_for`.
        cut_off: Where the training goes on; None for one that begins.

    Returns:
        The finished run.

    Raises:
        ConfigError: If the state is that of another training, before anything is changed.
    """
    recorder, path = made.recorder, made.path
    try:
        train(made.model, made.config, made.prepared, recorder, made.watching, made.cycles, cut_off)
        recorder.conclude(**_test(path, made.config, made.prepared))
    except BaseException as error:
        if made.resumable is not None:
            leave(made.resumable)  # Keras tells callbacks nothing of an exception
        recorder.fail(error)
        if isinstance(recorder.writer, WaitingWriter) and isinstance(error, ValueError | OSError):
            raise ConfigError(str(error)) from error  # the run that was to be carried on is as it was
        error.add_note(f"What there is of the run is in {path}.")
        if StateStore(path / STATE).exists():
            error.add_note(f"Carry on: {resume_command(path)}")
        _draw(path)
        raise
    _draw(path)
    return runs.open(path)


def test_finished(run: runs.Run, config: Config) -> runs.Run:
    """Test a finished run that was killed before its test.

    Args:
        run: Whose `lacks_its_test` is true.
        config: What it was made from.

    Returns:
        The run, with the figures in its summary.

    Raises:
        ConfigError: If the data is not there any more, or the run is another process's now.
    """
    try:
        figures = _test(run.path, config, prepare(config))
        runs.RunWriter.reopen(run.path).finish("finished", figures)
    except (ValueError, OSError, ImportError) as error:
        raise ConfigError(str(error)) from error
    return runs.open(run.path)


def _draw(path: Path) -> None:
    """The picture of what there is, if an epoch was completed; where that fails, the run is what it was."""
    try:
        run = runs.open(path)
        if run.epochs:
            HistoryDisplay.from_run(run, **stability_settings(run.config)).plot().save(path / "history.png")
    except Exception as error:
        warn("picture.failed", f"{path / 'history.png'} could not be drawn. {type(error).__name__}: {error}")


def _new_recorder(path: Path, settings: Mapping[str, Any]) -> callbacks.RunRecorder:
    recorder = callbacks.RunRecorder(path, **settings)
    if isinstance(recorder.writer, WaitingWriter):
        raise FileExistsError(
            f"`run_directory` must be a new or empty folder. Received: {path}, which holds a run that has not "
            f"finished: {resume_command(path)} carries on."
        )
    return recorder


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
