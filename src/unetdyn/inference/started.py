"""Batches that a device begins with while the host still has the outputs of the last in hand."""

import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from unetdyn.data.shares import devices_sharing

_STEPS: "weakref.WeakKeyDictionary[keras.Model, Callable[..., Any]]" = weakref.WeakKeyDictionary()
"""On JAX, the compiled step of each model, which lives as long as the model does."""


def starter(model: keras.Model) -> Callable[[np.ndarray], Any]:
    """A function that has the model predict a batch, and need not wait for the outputs.

    It calls what `predict_on_batch` calls, `predict_step`, without bringing the outputs to the host, which is
    `keras.ops.convert_to_numpy`, in any thread. On JAX, `predict_on_batch` gives the weights away with each batch and
    puts them back, which takes as long as a small network; here they are lent, and are those of the call of `starter`.
    Under a `keras.distribution` the devices share each batch there, where it is a multiple of their number; else each
    predicts all of it, as in `predict_on_batch`.

    Args:
        model: Built; whatever changes its weights later must not run beside it.
    """
    if keras.backend.backend() == "jax":
        state = tuple(
            [variable.value for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )
        step = _step_of(model)
        return lambda batch: step(state, (_shared(batch),))
    model.make_predict_function()
    return lambda batch: model.predict_function([(batch,)])


def _shared(batch: np.ndarray) -> Any:
    """Each device's part of the batch on that device."""
    distribution, devices = keras.distribution.distribution(), devices_sharing()
    if devices == 1 or len(batch) % devices:
        return batch
    return keras.distribution.distribute_tensor(batch, distribution.get_data_layout(batch.shape))


def _step_of(model: keras.Model) -> Callable[..., Any]:
    import jax

    if model not in _STEPS:
        of = weakref.ref(model)  # a step that held its model would keep both for ever

        def step(state: Any, data: Any) -> Any:
            return of().predict_step(state, data)[0]  # type: ignore[union-attr]

        _STEPS[model] = jax.jit(step) if model.jit_compile and not model.run_eagerly else step
    return _STEPS[model]
