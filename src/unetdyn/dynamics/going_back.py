"""Back to an earlier state of the same training: all that was learned since is undone, what counts and draws goes on."""

import contextlib
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from unetdyn.dynamics.attachments import Attachments
from unetdyn.dynamics.optimizers import strategy
from unetdyn.dynamics.training_state import difference, put_back, variables_of


def build_optimizer(model: keras.Model) -> None:
    """Make the optimizer's slots now, with the values that the first step would give them.

    TensorFlow makes them in the first step: a state from before it would lack them.
    """
    optimizer = model.optimizer
    if model.built and not optimizer.built:
        shared = strategy(optimizer)
        with shared.scope() if shared is not None else contextlib.nullcontext():
            optimizer.build(model.trainable_variables)


def fits(model: keras.Model, values: Mapping[str, np.ndarray]) -> bool:
    """Whether `copied(model, metrics=False)` would have such values now: taps may have come or gone since."""
    return difference(variables_of(model, metrics=False), values) is None


def go_back(model: keras.Model, values: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray]) -> None:
    """Let a model have the values that it had, but for what must not be repeated or counted twice.

    The states of its random generators go on, so that what failed is not drawn again; so do the rows of taps, whose
    reader on the host has counted them.

    Args:
        model: Between two epochs.
        values: From `copied(model, metrics=False)`, then.
        now: The same, of now.

    Raises:
        ValueError: If the values are those of another model, or there are other taps now; nothing is changed then.
    """
    kept = {id(variable) for variable in _going_on(model)}
    places = [place for place, each in variables_of(model, metrics=False).items() if id(each) in kept]
    put_back(model, {**values, **{place: now[place] for place in places if place in now}})


def _going_on(model: keras.Model) -> Iterator[keras.Variable]:
    for layer in model._flatten_layers():
        yield from (generator.state for generator in getattr(layer, "_seed_generators", ()))
    attachments = Attachments.found_on(model.optimizer)
    if attachments is not None:
        yield from attachments.ring_variables
