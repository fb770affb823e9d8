"""The state of any callback: of those that give it themselves, and of Keras' own, which don't."""

import csv
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn.runs.atomic import replacing

_BATCHES = ("_batches_seen_since_last_saving", "_last_batch_seen", "_current_epoch")

_UNCHANGING = {float, int, bool, str, type(None)}

KEPT: dict[str, tuple[str, ...]] = {
    "BackupAndRestore": _BATCHES,
    "CSVLogger": ("keys",),
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    "History": ("history", "epoch"),
    "LambdaCallback": (),
    "LearningRateScheduler": (),
    "ModelCheckpoint": ("best", *_BATCHES),
    "OrbaxCheckpoint": ("best", "_total_batches_seen", *_BATCHES),
    "ProgbarLogger": (),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "RemoteMonitor": (),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "TensorBoard": ("_global_train_batch", "_global_test_batch", "_previous_epoch_iterations"),
    "TerminateOnNaN": (),
}
"""By Keras' class, the attributes that change during a training and matter after the next epoch or step has begun."""


def state_of(callback: keras.callbacks.Callback) -> dict[str, Any] | None:
    """What a callback keeps from one epoch to the next, and would lack in another process.

    It changes nothing in the callback, and no later step changes what was returned.

    Args:
        callback: Any, in a `fit`: one with `get_state` and `set_state` is asked; one of Keras', or a subclass, is read.

    Returns:
        A tree for `unetdyn.runs.state_tree.encode`; empty of one that keeps nothing. None where it can't be known:
        `LostState` tells whether that matters.

    Example:
        >>> state_of(keras.callbacks.ReduceLROnPlateau())
        {'wait': 0, 'best': None, 'cooldown_counter': 0}
        >>> state_of(keras.callbacks.TerminateOnNaN())
        {}
    """
    kind = kind_of_keras(callback)
    own = callback.get_state() if gives_state(callback) else None
    if kind is None:
        return own
    found = {name: _plain(vars(callback)[name]) for name in KEPT[kind.__name__] if name in vars(callback)}
    if isinstance(callback, keras.callbacks.CSVLogger):
        found["file"] = _written(callback)
    return found if own is None else {"of_keras": found, "own": own}


def bring_back(callback: keras.callbacks.Callback, state: dict[str, Any]) -> None:
    """Let a callback go on from a state, after its `on_train_begin`; twice with the same state does no harm.

    Args:
        callback: One like that of which `state_of` was asked, made with equal arguments.
        state: What it returned.

    Example:
        >>> patient = keras.callbacks.EarlyStopping(patience=3)
        >>> bring_back(patient, state_of(patient) | {"wait": 2, "best": 0.25})
        >>> patient.wait, patient.best
        (2, 0.25)
    """
    kind = kind_of_keras(callback)
    if gives_state(callback):
        callback.set_state(state if kind is None else state["own"])
    if kind is None:
        return
    found = state["of_keras"] if gives_state(callback) else state
    for name in KEPT[kind.__name__]:
        if name in found:
            setattr(callback, name, _plain(found[name]))
    if isinstance(callback, keras.callbacks.CSVLogger):
        _write_again(callback, found["file"])


def gives_state(callback: keras.callbacks.Callback) -> bool:
    """Whether it has the methods itself."""
    return all(callable(getattr(callback, method, None)) for method in ("get_state", "set_state"))


def kind_of_keras(callback: keras.callbacks.Callback) -> type | None:
    """The class of Keras that it is, or is derived from; None where it is derived from `Callback` alone."""
    kinds = [getattr(keras.callbacks, name, None) for name in KEPT]  # an older Keras lacks some
    return next((kind for kind in type(callback).__mro__ if kind in kinds), None)


def _plain(value: Any) -> Any:
    """A copy of numbers, texts and arrays, in whatever lists and dictionaries; tensors become arrays."""
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return value
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if type(value) is list and set(map(type, value)) <= _UNCHANGING:  # such as a history of many epochs
        return value.copy()
    if isinstance(value, list | tuple):
        return type(value)(_plain(each) for each in value) if type(value) in (list, tuple) else [*map(_plain, value)]
    return np.array(keras.ops.convert_to_numpy(value))


def _written(logger: keras.callbacks.CSVLogger) -> bytes | None:
    """The file as it is; each row has been flushed. None where there is none."""
    path = Path(logger.filename)
    return path.read_bytes() if path.is_file() else None


def _write_again(logger: keras.callbacks.CSVLogger, content: bytes | None) -> None:
    """Let the file hold what it held then, and nothing of what came after, and go on behind it."""
    if content is None:
        return
    if logger.csv_file is not None and not logger.csv_file.closed:
        logger.csv_file.close()
    with replacing(logger.filename) as temporary:
        temporary.write_bytes(content)
    logger.csv_file = Path(logger.filename).open("a", encoding="utf-8")  # noqa: SIM115  # the logger closes it
    logger.writer = None
    if logger.keys is not None:  # as Keras makes it, without a header, which is there
        logger.writer = csv.DictWriter(logger.csv_file, ["epoch", *logger.keys], delimiter=logger.sep)
