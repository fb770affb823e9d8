"""All variables of a training as arrays on the host, and back: of the model, its optimizer and its metrics."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from unetdyn.dynamics.attachments import Attachments
from unetdyn.dynamics.backend import backend

Values = dict[str, np.ndarray]


def variables_of(model: keras.Model, metrics: bool = True, taps: bool = True) -> dict[str, keras.Variable]:
    """Each variable once, by its kind and its place, such as `"optimizer/3"`.

    Weights, moving statistics and the states of random generators; the optimizer's slots, its counter, learning rate,
    loss scale and averages, and what taps carry through the compiled step; the sums of metrics. Names would not do:
    Keras numbers them by what else the process has made.

    Args:
        model: Built and compiled.
        metrics: Whether the sums of metrics count too. On TensorFlow they are made in the first step, and `fit` sets
            them to 0 before each epoch, so that between two epochs they don't matter.
        taps: Whether what taps carry through the compiled step counts too: rows that have not been read, and what
            probes and controls keep.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> {place: variable.name for place, variable in variables_of(model, metrics=False).items()}
        {'model/0': 'kernel', 'model/1': 'bias', 'optimizer/0': 'iteration', 'optimizer/1': 'learning_rate'}
    """
    found: dict[str, keras.Variable] = {}
    attachments = Attachments.found_on(getattr(model, "optimizer", None))
    carried = attachments.carried if attachments is not None else []  # on JAX the optimizer has them too
    seen = set() if taps else {id(variable) for variable in carried}
    for kind, variables in [("taps", carried), *_kinds(model, metrics)]:
        for place, variable in enumerate(variables):
            if id(variable) not in seen:
                seen.add(id(variable))
                found[f"{kind}/{place}"] = variable
    return found


def copied(model: keras.Model, metrics: bool = True, taps: bool = True) -> Values:
    """The values of all variables, as copies that no later step changes; they may be read-only. Waits for the device.

    Args:
        model: Built and compiled; also in the midst of an epoch.
        metrics: As of `variables_of`.
        taps: As of `variables_of`.
    """
    backend.give_values_back(model)
    found = variables_of(model, metrics, taps)
    return dict(zip(found, backend.to_host(list(found.values())), strict=True))


def put_back(model: keras.Model, values: Mapping[str, np.ndarray]) -> None:
    """Let all variables have these values, to the last bit.

    Args:
        model: Built and compiled as the one that they were copied from, with as many taps; its optimizer is built.
        values: From `copied`, of this model or of an equal one; without those of metrics, or of taps, these stay as
            they are.

    Raises:
        ValueError: If they are those of another model; nothing is changed then.
    """
    backend.give_values_back(model)
    has = {kind: any(place.startswith(f"{kind}/") for place in values) for kind in ("metrics", "taps")}
    variables = variables_of(model, **has)
    if (reason := difference(variables, values)) is not None:
        raise ValueError(f"`values` must be those of such a model. Received: {reason}.")
    for place, variable in variables.items():
        variable.assign(values[place])


def difference(variables: Mapping[str, keras.Variable], values: Mapping[str, np.ndarray]) -> str | None:
    """The first variable that has no value of its shape, or the first value without a variable; None if all fit."""
    for place, variable in variables.items():
        if place not in values:
            return f"none for {variable.path} ({place})"
        if tuple(values[place].shape) != tuple(variable.shape):
            return f"shape {tuple(values[place].shape)} for {variable.path} of shape {tuple(variable.shape)} ({place})"
    return next((f"one for {place}, which is not there" for place in values if place not in variables), None)


def _kinds(model: keras.Model, metrics: bool) -> Iterator[tuple[str, list[keras.Variable]]]:
    yield "model", model.variables
    if getattr(model, "optimizer", None) is not None:
        yield "optimizer", model.optimizer.variables
    if metrics:
        yield "metrics", model.metrics_variables
