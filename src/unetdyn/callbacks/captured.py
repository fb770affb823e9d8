"""The state of a training at one moment, taken from all that has any, and put back."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from unetdyn.callbacks.keras_states import bring_back, state_of
from unetdyn.dynamics.optimizers import build_optimizer
from unetdyn.dynamics.training_state import copied, difference, put_back, variables_of

State = dict[str, Any]


class Moment(NamedTuple):
    """Before a step: its epoch, and its number in the epoch, both from 0.

    `within` the epoch callbacks have begun it, as they have before its first step; if not it is between two epochs.
    """

    epoch: int
    step: int
    within: bool


def captured(moment: Moment, model: keras.Model, callbacks: Sequence[Any], adapter: Any) -> State:
    """All of it, as a tree of plain values and of arrays that nothing changes any more. Waits for the device.

    Args:
        moment: Which it is.
        model: What is trained.
        callbacks: Of the `fit`.
        adapter: Keras' adapter of the data, or None.
    """
    build_optimizer(model)  # before the first step; without its slots the state would fit no training
    return {
        **moment._asdict(),
        "variables": copied(model, metrics=moment.step > 0),
        "buffers": {place: np.array(keras.ops.convert_to_numpy(each)) for place, each in _buffers(model).items()},
        "callbacks": [
            {"class": type(each).__name__, "name": getattr(each, "name", None), "state": state}
            for each in callbacks
            if (state := state_of(each)) is not None
        ],
        "data": data_state(adapter),
    }


def data_state(adapter: Any) -> dict[str, Any] | None:
    """What the data of a `fit` say of their order; None where they say nothing.

    Args:
        adapter: Keras' adapter of the data, or None.
    """
    dataset = _with_state(adapter)
    return None if dataset is None else dataset.get_state()


def misfit(state: State, model: keras.Model) -> str | None:
    """By what variables of a state are those of another training, as the end of a sentence; None where they fit.

    Args:
        state: From `captured`.
        model: Built and compiled; its optimizer is built too, and the callbacks of its `fit` have begun.
    """
    values = {place: value for place, value in state["variables"].items() if not place.startswith("metrics/")}
    variables = variables_of(model, metrics=False)
    for of_taps, what in (
        (False, "its variables"),
        (True, "monitors and controls among the callbacks, or the number of replicas,"),
    ):
        reason = difference(_those(variables, of_taps), _those(values, of_taps))
        if reason is not None:
            return f"{what} are others, {reason}"
    return None


def put_into_place(state: State, model: keras.Model, callbacks: Sequence[Any], adapter: Any, metrics: bool) -> None:
    """Bring it back into a training of the same make.

    Args:
        state: From `captured`.
        model: Built and compiled; its optimizer is built too.
        callbacks: Of the `fit`, in the same order.
        adapter: Keras' adapter of the data; None leaves the data alone.
        metrics: Whether the sums of metrics come back too; they are not there before the first step.

    Raises:
        ValueError: If a callback can't take back what it kept, such as one of another version.
    """
    waiting = list(state["callbacks"])
    for each in callbacks:
        known = {"class": type(each).__name__, "name": getattr(each, "name", None)}
        found = next((one for one in waiting if {key: one[key] for key in known} == known), None)
        if found is not None:
            waiting.remove(found)
            try:
                bring_back(each, found["state"])
            except (LookupError, TypeError, AttributeError) as error:  # it looks for what is not there, or is otherwise
                raise ValueError(
                    f"{known['class']} can't take back what it kept in the state, which another version of it may have "
                    "written: carry on with the version that began, or choose another `path`. "
                    f"Received: {type(error).__name__}: {error}"
                ) from error
    kept = {place: value for place, value in state["variables"].items() if metrics or not place.startswith("metrics/")}
    put_back(model, kept)
    for place, buffer in _buffers(model).items():
        buffer.copy_(keras.ops.convert_to_tensor(state["buffers"][place]))
    dataset = _with_state(adapter)
    if dataset is not None and state["data"] is not None:
        dataset.set_state(state["data"])


def _those(places: Mapping[str, Any], of_taps: bool) -> dict[str, Any]:
    return {place: each for place, each in places.items() if place.startswith("taps/") is of_taps}


def _buffers(model: keras.Model) -> dict[str, Any]:
    """What modules of PyTorch keep beside their weights, such as moving statistics: no variables of Keras."""
    wrappers = [each for each in model._flatten_layers() if isinstance(each, keras.layers.TorchModuleWrapper)]
    return {
        f"{place}/{name}": buffer
        for place, wrapper in enumerate(wrappers)
        for name, buffer in wrapper.module.named_buffers()
    }


def _with_state(adapter: Any) -> Any:
    dataset = getattr(adapter, "py_dataset", None)
    return dataset if hasattr(dataset, "get_state") and hasattr(dataset, "set_state") else None
