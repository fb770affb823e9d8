"""The call of `fit` in one of whose hooks a callback is: what Keras tells to none of them."""

import sys
from collections.abc import Iterator, Mapping
from traceback import walk_stack
from types import FrameType
from typing import Any

import keras

from unetdyn.dynamics.frames import local_of


def callback_list() -> keras.callbacks.CallbackList | None:
    """The list in one of whose hooks this is called; None where a hook is called by hand."""
    for frame in _frames():
        if frame.f_code.co_name.startswith("on_"):
            caller = local_of(frame, "self")
            if isinstance(caller, keras.callbacks.CallbackList):
                return caller
    return None


def data_adapter(callbacks: keras.callbacks.CallbackList) -> Any:
    """What the `fit` with this list draws its batches from, as Keras has it; None where there is no such `fit`.

    Args:
        callbacks: From `callback_list`.
    """
    return getattr(_epoch_iterator(callbacks), "data_adapter", None)


def steps_per_epoch(callbacks: keras.callbacks.CallbackList) -> int | None:
    """As the `fit` with this list has it; None where it has none, or there is no such `fit`.

    Args:
        callbacks: From `callback_list`.
    """
    return getattr(_epoch_iterator(callbacks), "steps_per_epoch", None)


def last_step(callbacks: keras.callbacks.CallbackList) -> tuple[int, Mapping[str, Any]] | None:
    """The number, from 0, and the logs of the step that the `fit` with this list made last; None where there is none.

    Args:
        callbacks: From `callback_list`.
    """
    number, logs = _of_fit(callbacks, "end_step"), _of_fit(callbacks, "logs")
    return (number, logs) if isinstance(number, int) and isinstance(logs, Mapping) else None


def _epoch_iterator(callbacks: keras.callbacks.CallbackList) -> Any:
    return _of_fit(callbacks, "epoch_iterator")


def _of_fit(callbacks: keras.callbacks.CallbackList, name: str) -> Any:
    frames = (frame for frame in _frames() if frame.f_code.co_name == "fit")
    fits = (frame for frame in frames if local_of(frame, "callbacks") is callbacks)
    return next((local_of(frame, name) for frame in fits), None)


def _frames() -> Iterator[FrameType]:
    for frame, _ in walk_stack(sys._getframe(2)):
        yield frame
