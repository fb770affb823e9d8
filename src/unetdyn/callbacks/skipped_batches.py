"""Batches of an epoch that a run was resumed in, drawn and not trained on: they were before it was cut off."""

from typing import Any

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.sessions import is_of_a_fit


class SkippedBatches:
    """Stands in the place of a model's train function until `end`, or until the `fit` is left by an exception.

    So any data comes to the place where it was, whatever it is drawn from. Callbacks hear that such a step begins, and
    not that it ends, since none was made: one that counts steps might save a model of them. They are to be told
    afterwards what they knew.

    Args:
        model: In whose `fit` an epoch has just begun.
        callbacks: Of that `fit`.
    """

    def __init__(self, model: keras.Model, callbacks: keras.callbacks.CallbackList) -> None:
        self._model, self._own = model, model.train_function
        self._callbacks = callbacks
        self._batch: Any = None

        def train_function(*arguments: Any) -> Any:
            if not is_of_a_fit(callbacks.params):
                self.give_back()
                return self._own(*arguments)
            result, self._batch = backend.draw_without_training(self._model, arguments)
            return result

        vars(train_function).update(getattr(self._own, "__dict__", {}))  # by which taps know whose function it is
        self._standing_in = train_function
        model.train_function = train_function
        callbacks.on_train_batch_end = _nothing

    def end(self) -> None:
        """Train from here on. Metrics, which TensorFlow makes in the first step, are there from now on."""
        self.give_back()
        if self._batch is not None:
            self._model._symbolic_build(data_batch=self._batch)
        self._batch = None

    def give_back(self) -> None:
        """Let model and callbacks be as they were."""
        vars(self._callbacks).pop("on_train_batch_end", None)
        if self._model.train_function is self._standing_in:
            self._model.train_function = self._own


def _nothing(batch: int, logs: dict[str, Any] | None = None) -> None:
    """In place of a hook."""
