"""Calls that have not returned yet, and what they have in their names."""

from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any


def local_of(frame: FrameType, name: str) -> Any:
    """What a name has in a call, or None; the call keeps nothing of having been asked.

    Before Python 3.13 `f_locals` of a function is a copy of all its names, which the frame keeps until it is asked
    again. So a `fit` on TensorFlow kept the iterator of an epoch that was over, and let go of it in the next epoch,
    under Python's lock: it then waited, for seconds, for a thread that waited for the lock.

    Args:
        frame: Of the call.
        name: Of a variable.

    Example:
        >>> import sys
        >>> def fit(epochs):
        ...     return local_of(sys._getframe(), "epochs"), local_of(sys._getframe(), "steps")
        >>> fit(3)
        (3, None)
    """
    names = frame.f_locals
    found = names.get(name)
    if frame.f_code.co_flags & CO_OPTIMIZED and isinstance(names, dict):  # a module's or a class's are no copy
        names.clear()
    return found
