"""Which training a call belongs to, by the calls it came through.

Keras tells no callback that a training has broken off, and a callback may train within a training. So a training runs
while its loop, or a hook of its list of callbacks, is among the calls that have not returned yet, in any thread.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_stack
from types import FrameType

from unetdyn.dynamics.frames import local_of

_HOOKS = "keras.src.callbacks.callback_list"


def runs(session: object) -> bool:
    """Whether the training with these `callback.params` is under way; a loop of the user's own only within its hooks.

    Args:
        session: The very object that the training's callbacks have as `params`.

    Example:
        >>> runs({"epochs": 1})
        False
    """
    with _no_collection():
        return any(_session_of(frame) is session for frame in _frames())


def is_of_a_fit(session: object) -> bool:
    """Whether a `fit` that is under way has these `callback.params`; of a loop of the user's own it is false."""
    with _no_collection():
        return any(frame.f_code.co_name == "fit" and _session_of(frame) is session for frame in _frames())


def called_by_fit() -> bool:
    """Whether who asks was called by a `fit`, as it begins; else by `train_on_batch`, for one."""
    return sys._getframe(2).f_code.co_name == "fit"


@contextmanager
def _no_collection() -> Iterator[None]:
    """While calls of other threads are looked at.

    Python 3.11 may collect garbage while it makes a frame object. What is collected may let the other threads run on,
    and the call that the object is made for may have ended by then: what is read of it is anything, and the process may
    crash.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _frames() -> Iterator[FrameType]:
    for newest in sys._current_frames().values():
        for frame, _ in walk_stack(newest):
            yield frame


def _session_of(frame: FrameType) -> object:
    """What a loop or a list of callbacks of Keras has as `params`; of other frames no session."""
    if frame.f_globals.get("__name__") == _HOOKS:
        return getattr(local_of(frame, "self"), "params", _HOOKS)
    if frame.f_code.co_name == "fit":
        return getattr(local_of(frame, "callbacks"), "params", _HOOKS)
    return _HOOKS
