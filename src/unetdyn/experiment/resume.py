"""An experiment that was ended before its end, carried on from its last state."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import keras

from unetdyn import callbacks, runs
from unetdyn.analysis.diagnosis.messages.resume import place
from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError, parse_config
from unetdyn.experiment.run import assembled_for, carry_out, tell, test_finished
from unetdyn.experiment.schedule_config import OVER_ALL_EPOCHS
from unetdyn.experiment.stages import CutOff
from unetdyn.runs.process import in_words, is_alive
from unetdyn.runs.state_store import STATE, StateStore
from unetdyn.runs.tested import lacks_its_test
from unetdyn.runs.waiting import has_only_begun


def resume_experiment(
    run: runs.Run | str | Path,
    epochs: int | None = None,
    stream: TextIO | None = None,
    walltime: float | None = None,
    also: Sequence[keras.callbacks.Callback] = (),
) -> runs.Run:
    """Carry on the training of a run that `run_experiment` made, exactly as if it had never been ended.

    Configuration and seed are those in its `run.json`, data and model are made anew from them, and everything else
    comes from the last state. Of a training in stages the one in which it was cut off goes on, and those after it
    follow. A run that is finished is returned as it is.

    Args:
        run: The run directory, or an open run.
        epochs: Of the whole training, to go on to more than were planned, also where they are done; the last stage gets
            what is more. Default None: as planned.
        stream: Where progress is shown; standard output by default.
        walltime: As of `run_experiment`.
        also: As of `run_experiment`, and as they were there.

    Returns:
        The finished run.

    Raises:
        FileNotFoundError: If it is no run directory.
        ConfigError: If it can't be carried on, and nothing is changed: it still runs, has no state, or a damaged one,
            was not made from a configuration, its data has changed, or more epochs would not be those of a longer
            training.
    """
    stream = stream if stream is not None else sys.stdout
    opened = run if isinstance(run, runs.Run) else runs.open(run)
    _refuse_running(opened)
    config = configuration_of(opened)
    done = len(opened.epochs)
    if opened.status == "finished" and (epochs is None or epochs <= done):
        if lacks_its_test(opened):
            tell(stream, f"Testing {opened.path}, which was ended between its last epoch and its test")
            return test_finished(opened, config)
        tell(stream, f"Nothing is left to do: {opened.path} is finished, with {done} epochs.")
        return opened
    state = None if _was_ended_before_a_state(opened, config) else state_of(opened, config)
    cut_off = None if state is None else CutOff(state["fit"], _first_epoch(opened, state["fit"]))
    if epochs is not None:
        config = _longer(opened, config, state, cut_off, epochs)
    if state is not None:
        tell(stream, f"Carrying on {opened.path} at {place(state['epoch'], state['step'], 'logs' in state)}")

    def record(**settings: Any) -> callbacks.RunRecorder:
        return callbacks.RunRecorder(opened.path, **settings, extend=True)

    made = assembled_for(config, stream, walltime, record)
    if made.resumable is not None and cut_off is not None:
        made.resumable.fits = cut_off.stage
    made.watching.extend([*also, _noting(made.recorder, config)])
    return carry_out(made, cut_off)


def configuration_of(run: runs.Run) -> Config:
    """The configuration that a run was made from.

    Raises:
        ConfigError: If it was made without one, or by a version with other keys.
    """
    if not {"data", "fit"} <= set(run.config):
        raise ConfigError(
            f"{run.path} was not made by `unetdyn train`: nobody but its script knows its model and data. Start the "
            "script again: its `unetdyn.callbacks.ResumableRun` carries on."
        )
    return parse_config(run.config, f"{run.path / 'run.json'}, config")


def state_of(run: runs.Run, config: Config) -> dict[str, Any]:
    """The last state of a run.

    Raises:
        ConfigError: If there is none, or none that is whole.
    """
    try:
        tree: dict[str, Any] = StateStore(run.path / STATE).read().tree
    except FileNotFoundError:
        kept = config.fit.keep_state
        why = "it was removed, or never kept" if kept else "`fit.keep_state` is false in its configuration"
        raise ConfigError(
            f"{run.path} has no state to carry on from: {why}. Train anew, with the configuration that is in its "
            "run.json under `config`."
        ) from None
    except (runs.RunError, OSError) as error:
        raise ConfigError(str(error)) from error
    return tree


def _was_ended_before_a_state(run: runs.Run, config: Config) -> bool:
    """Whether nearly nothing is lost, so that it may begin again; one that had come further has lost its state."""
    folder = run.path / STATE
    if not config.fit.keep_state or StateStore(folder).exists() or (run.epochs and not folder.is_dir()):
        return False
    return has_only_begun(run)


def _noting(recorder: callbacks.RunRecorder, config: Config) -> keras.callbacks.Callback:
    """Has `run.json` say how many epochs there are to be, once the run is carried on."""

    def note(*_: Any, **__: Any) -> None:
        with suppress(OSError):  # a full disk ends no training; there is another epoch
            recorder.writer.configure(config.model_dump(mode="json"))

    return keras.callbacks.LambdaCallback(on_epoch_begin=note)


def _refuse_running(run: runs.Run) -> None:
    process = run.header.get("process")
    if run.status == "running" and is_alive(process):
        raise ConfigError(
            f"{run.path} is still running: {in_words(process)} trains it. Wait for its end, or end it; SIGTERM has it "
            "save its state."
        )


def _first_epoch(run: runs.Run, stage: int) -> int:
    """Of the stage in which the run was cut off."""
    if not run.stages:
        return 0
    return int(run.stages[stage]["epoch"])


def _longer(
    run: runs.Run, config: Config, state: Mapping[str, Any] | None, cut_off: CutOff | None, epochs: int
) -> Config:
    """With so many epochs in all, where that makes of it what a longer training would have been."""
    stages = config.trained
    number, first = cut_off if cut_off is not None else (0, 0)
    before = first + sum(stage.epochs for stage in stages[number:-1])
    done = 0 if state is None else state["epoch"] + state["within"]
    if epochs < done or epochs <= before:
        raise ConfigError(
            f"`--epochs` must be at least {max(done, before + 1)}: of the epochs of the whole training, "
            f"{run.path} has {done}" + (f", and its last stage begins after {before}" if config.stages else "") + ". "
            f"Received: {epochs}."
        )
    if epochs == before + stages[-1].epochs:
        return config
    if state is not None and number == len(stages) - 1 and state["stopped"]:
        raise ConfigError(
            f"Early stopping ended {run.path} after epoch {done}, and a longer training as well. Train anew, with more "
            "`callbacks.early_stopping.patience` or without it."
        )
    kind = stages[-1].optimizer.schedule.kind
    if state is not None and kind in OVER_ALL_EPOCHS:
        raise ConfigError(
            f"The learning rate of {run.path} is a `{kind}` over {stages[-1].epochs} epochs: in a longer training it "
            "would be another from the first step on. Train anew, with more epochs, or with a schedule that does not "
            "depend on their number."
        )
    values = config.model_dump(mode="json")
    if config.stages:
        values["stages"][-1]["epochs"] = epochs - before
    else:
        values["fit"]["epochs"] = epochs
    return parse_config(values, f"--epochs {epochs}")
