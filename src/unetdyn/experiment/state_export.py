"""The last state of a run, written for other programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from unetdyn import runs
from unetdyn.callbacks.averages import averaged_variables, put_back
from unetdyn.dynamics.training_state import difference, variables_of
from unetdyn.experiment.averaged_weights import AveragedWeights
from unetdyn.experiment.build import build_model, compile_model
from unetdyn.experiment.config import Config
from unetdyn.experiment.load import ConfigError
from unetdyn.experiment.prepare import prepare
from unetdyn.experiment.resume import configuration_of, state_of
from unetdyn.experiment.stages import freeze


def export_state(run: runs.Run | str | Path, path: str | Path) -> Path:
    """Write the last state of a run as a model that can be trained on: weights, optimizer with its moments, step.

    It is the state of the last epoch, where `model.keras` has the best one. What only unetdyn can carry on from, such
    as the monitors and the random numbers, also those of dropout, stays behind.

    Args:
        run: The run directory, or an open run, made by `run_experiment`.
        path: A file `*.keras`, which is replaced if it is there, or a new folder, which gets one step in the layout of
            `keras.callbacks.OrbaxCheckpoint`. For that, `pip install orbax-checkpoint`.

    Returns:
        `path`.

    Raises:
        FileNotFoundError: If it is no run directory, or `path` lies in no folder.
        ConfigError: If the run has no configuration, or no state.
        ImportError: If Orbax is not installed.
        ValueError: If `path` is neither, or a folder that is there.
    """
    opened = run if isinstance(run, runs.Run) else runs.open(run)
    path = Path(path)
    _check_place(path)
    config = configuration_of(opened)
    state = state_of(opened, config)
    model = _model_of(config, state)
    if path.suffix == ".keras":
        with runs.replacing(path) as temporary:
            model.save(temporary)
    else:
        _write_orbax(model, path, state["epoch"])
    return path


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in a folder. Received: {path}; make {path.parent} first.")
    if path.suffix not in ("", ".keras"):
        raise ValueError(
            f"`path` must end in .keras, or be a new folder for Orbax, without an ending. Received: {path}."
        )
    if path.suffix == ".keras" and path.is_dir():
        raise ValueError(f"`path` must be a file. Received: {path}, which is a folder.")
    if path.suffix == "":
        if path.exists():
            raise ValueError(f"`path` must be a new folder; nothing is overwritten. Received: {path}, which is there.")
        _check_orbax()


def _model_of(config: Config, state: Mapping[str, Any]) -> keras.Model:
    prepared = prepare(config)
    steps = len(prepared.train)
    model = build_model(config, prepared.channels, steps)
    if config.stages:
        stage = config.stages[state["fit"]]
        freeze(model, stage.frozen)
        compile_model(model, config.of_stage(stage), steps)
    model.optimizer.build(model.trainable_variables)
    variables = variables_of(model, metrics=False)
    values = {place: value for place, value in state["variables"].items() if place in variables}
    if (reason := difference(variables, values)) is not None:
        raise ConfigError(f"The state is not that of the model in `config`: {reason}.")
    for place, variable in variables.items():
        variable.assign(values[place])
    for each in state["callbacks"]:
        if each["class"] == AveragedWeights.__name__ and each["state"]["trained"] is not None:
            # At an epoch's end the model has the averages; the optimizer has them too, and training goes on from these.
            put_back(list(zip(averaged_variables(model), each["state"]["trained"], strict=True)))
    return model


def _write_orbax(model: keras.Model, path: Path, step: int) -> None:
    """As Keras' callback does, without a training; its names say where each array belongs."""
    callback = keras.callbacks.OrbaxCheckpoint(path.absolute(), monitor="loss", mode="min", save_on_background=False)
    callback.set_model(model)
    callback.on_epoch_end(step)
    callback.on_train_end()


def _check_orbax() -> None:
    try:
        import orbax.checkpoint  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "A path without an ending is a folder for Orbax, which is not installed: pip install orbax-checkpoint, or "
            "name a file that ends in .keras."
        ) from error
