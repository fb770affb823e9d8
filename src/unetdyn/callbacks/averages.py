"""The averages of the weights that an optimizer with `use_ema` keeps, put into the model for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from unetdyn.dynamics.optimizers import inner

Weights = list[tuple[keras.Variable, np.ndarray]]


def show_averages(model: keras.Model) -> Weights:
    """Put the averages into the model, all or none, and leave the optimizer's own where they are.

    Args:
        model: Compiled.

    Returns:
        The weights that were there, for `put_back`; empty where there is no average.
    """
    before: Weights = []
    averages: Weights = []
    for optimizer in _averaging(model):
        variables = optimizer._trainable_variables
        for variable, average in zip(variables, optimizer._model_variables_moving_average, strict=True):
            before.append((variable, keras.ops.convert_to_numpy(variable).copy()))
            averages.append((variable, keras.ops.convert_to_numpy(average).copy()))
    try:
        put_back(averages)
    except BaseException:
        put_back(before)
        raise
    return before


def averaged_variables(model: keras.Model) -> list[keras.Variable]:
    """The weights of which there are averages, in the order of `show_averages`.

    Args:
        model: Compiled, with an optimizer that is built.
    """
    return [variable for optimizer in _averaging(model) for variable in optimizer._trainable_variables]


def put_back(weights: Weights) -> None:
    """Let the model have these, to the last bit, such as what `show_averages` took out of it."""
    for variable, value in weights:
        variable.assign(value)


@contextmanager
def averages_in(model: keras.Model) -> Iterator[None]:
    """A block in which the model has the averages.

    Args:
        model: Compiled.
    """
    before = show_averages(model)
    try:
        yield
    finally:
        put_back(before)


def _averaging(model: keras.Model) -> list[Any]:
    optimizer = inner(model.optimizer)
    found = getattr(optimizer, "optimizers", [optimizer])
    return [each for each in found if getattr(each, "use_ema", False) and each.built]
