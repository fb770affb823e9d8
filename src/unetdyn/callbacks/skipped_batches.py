"""Batches of an epoch that a run was resumed in, drawn and not trained on: they were before it was cut off."""

from typing import Any

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.sessions import is_of_a_fit


class SkippedBatches:
    """Stands in the place of a model's train function until `end`, or until the `fit` is left by an exception.

    So any data comes to the place where it was, whatever it is drawn from. Callbacks hear of these batches, and are to
    be told afterwards what they knew.

    Args:
        model: In whose `fit` an epoch has just begun.
        session: What its callbacks have as `params`.
    """

    def __init__(self, model: keras.Model, session: object) -> None:
        self._model, self._own = model, model.train_function
        self._batch: Any = None

        def train_function(*arguments: Any) -> Any:
            if not is_of_a_fit(session):
                self._give_back()
                return self._own(*arguments)
            result, self._batch = backend.draw_without_training(self._model, arguments)
            return result

        vars(train_function).update(getattr(self._own, "__dict__", {}))  # by which taps know whose function it is
        self._standing_in = train_function
        model.train_function = train_function

    def end(self) -> None:
        """Train from here on. Metrics, which TensorFlow makes in the first step, are there from now on."""
        self._give_back()
        if self._batch is not None:
            self._model._symbolic_build(data_batch=self._batch)
        self._batch = None

    def _give_back(self) -> None:
        if self._model.train_function is self._standing_in:
            self._model.train_function = self._own
