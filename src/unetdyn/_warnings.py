"""Warnings with a code: what is warned of during a training is an event of its run too."""

import warnings
import weakref
from collections.abc import Callable

Listener = Callable[[str, str], None]
"""Is given the code and the message."""

_listeners: "list[tuple[weakref.WeakMethod[Listener], object]]" = []


class CodedWarning(UserWarning):
    """A warning of unetdyn.

    Attributes:
        code: What kind of trouble it is, such as `"labels.scale"`: a contract, as the code of a finding is.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["CodedWarning"], tuple[str, str]]:
        """Raised in a worker process of a data set, it goes to the training's as a pickle."""
        return type(self), (str(self), self.code)


def warn(code: str, message: str, stacklevel: int = 1, again: bool = False) -> None:
    """Warn, and tell who listens.

    Args:
        code: What kind of trouble it is.
        message: For a person.
        stacklevel: As if `warnings.warn` were called instead of this.
        again: Whether it was warned of before: then only who listens is told, since another training may have begun.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn("labels.scale", "The masks are 8-bit.")
        ...     warn("labels.scale", "The masks are 8-bit.", again=True)
        >>> [(each.message.code, str(each.message)) for each in caught]
        [('labels.scale', 'The masks are 8-bit.')]
    """
    for reference, _ in tuple(_listeners):
        listener = reference()
        if listener is not None:
            listener(code, message)
    if not again:
        warnings.warn(CodedWarning(message, code), stacklevel=stacklevel + 1)


def listen(listener: Listener, training: object) -> None:
    """Tell a method of every warning, whatever filters Python has, until `unlisten` or until its object is gone.

    Who listens to another training is told no more: an exception has ended that one, and nobody said so. Listening
    twice is listening once.

    Args:
        listener: A bound method, held weakly.
        training: What all who listen to one training share.
    """
    kept = [(known, of) for known, of in _listeners if of is training and known() not in (None, listener)]
    _listeners[:] = [*kept, (weakref.WeakMethod(listener), training)]


def unlisten(listener: Listener) -> None:
    """Tell that method no more."""
    _listeners[:] = [(known, of) for known, of in _listeners if known() not in (None, listener)]
