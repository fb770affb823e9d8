"""What callbacks and models of the user's own keep and nobody can bring back: seen by what changes, or what it is."""

import inspect
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from unetdyn.callbacks.keras_states import gives_state, kind_of_keras

_LARGE = 2**20  # bytes
_OF_FIT = ("_model", "params", "validation_data")


class LostState:
    """Compares the attributes of callbacks with what they were when a training began.

    What a class of Keras' or ours keeps is known, and comes back. An attribute that does not change, such as an
    argument, is there again when the script starts again.

    Args:
        callbacks: Of the `fit`, which have begun.

    Example:
        >>> class Counter(keras.callbacks.Callback):
        ...     steps, name = 0, "mine"
        >>> counter = Counter()
        >>> counter.seen, counter.limit = [], 3
        >>> lost = LostState([counter])
        >>> counter.seen.append(1)
        >>> lost.now()
        [('Counter', ['seen'])]
    """

    def __init__(self, callbacks: Sequence[Any]) -> None:
        self._before = [(each, {name: _mark(value) for name, value in _own(each)}) for each in callbacks]

    def now(self) -> list[tuple[str, list[str]]]:
        """Classes, and the attributes of each that are lost if the process is killed now."""
        found = []
        for each, before in self._before:
            changed = [name for name, value in _own(each) if name not in before or [before[name]] != [_mark(value)]]
            if changed:
                found.append((type(each).__name__, sorted(changed)))
        return found


def optimizers_beside(model: keras.Model) -> list[str]:
    """Attributes of a model that are optimizers, as those of a GAN, beside the one that it was compiled with.

    Keras builds them when a step of the user's own uses them, with variables that nobody else knows.

    Args:
        model: Compiled.
    """
    return [
        name
        for name, value in vars(model).items()
        if isinstance(value, keras.Optimizer) and value is not model.optimizer
    ]


def _own(callback: Any) -> Iterator[tuple[str, Any]]:
    """Attributes that no class with a known state uses."""
    base = _base(callback)
    if base is type(callback):
        return
    known = {name for kind in base.__mro__ for name in _names_in(kind)} | set(_OF_FIT)
    yield from ((name, value) for name, value in vars(callback).items() if name not in known)


def _base(callback: Any) -> type:
    """The class from which on all state is known."""
    kinds = type(callback).__mro__
    if gives_state(callback):
        defines = next((kind for kind in kinds if "get_state" in vars(kind)), kinds[0])
        return next(filter(_is_ours, kinds)) if _is_ours(defines) else defines
    return kind_of_keras(callback) or keras.callbacks.Callback


def _is_ours(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "unetdyn"


def _names_in(kind: type) -> Iterator[str]:
    """Of attributes that the methods of a class use."""
    for method in vars(kind).values():
        if inspect.isfunction(method):
            yield from method.__code__.co_names


def _mark(value: Any) -> Any:
    """What tells whether it is still the same: the content of what is plain, and else which object it is.

    Of large arrays, as of data, it is the object: they would be read at each epoch's end.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.nbytes <= _LARGE and not value.dtype.hasobject:
        return value.shape, zlib.crc32(np.ascontiguousarray(value).tobytes())
    if isinstance(value, set | frozenset):
        return len(value), sorted(map(hash, value))
    if isinstance(value, list | tuple | deque):
        return [_mark(each) for each in value]
    if isinstance(value, dict):
        return {name: _mark(each) for name, each in value.items()}
    return id(value)
