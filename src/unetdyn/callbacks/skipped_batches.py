"""Batches of an epoch that a run was resumed in, drawn and not trained on: they were before it was cut off."""

from collections.abc import Callable
from types import MethodType
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
        logs: What a step that isn't made says of itself; Keras takes the epoch's from its last step.
        passed: Called with the number of each step that isn't made, when it has been passed over.
    """

    def __init__(
        self,
        model: keras.Model,
        callbacks: keras.callbacks.CallbackList,
        logs: dict[str, Any],
        passed: Callable[[int], None],
    ) -> None:
        self._model, self._own = model, model.train_function
        self._callbacks = callbacks
        self._batch: Any = None

        def train_function(*arguments: Any) -> Any:
            if not is_of_a_fit(callbacks.params):
                self.give_back()
                return self._own(*arguments)
            result, self._batch = backend.draw_without_training(self._model, arguments, logs)
            return result

        vars(train_function).update(getattr(self._own, "__dict__", {}))  # by which taps know whose function it is
        self._standing_in = train_function
        model.train_function = train_function

        def on_train_batch_end(self: keras.callbacks.CallbackList, batch: int, logs: Any = None) -> None:  # noqa: ARG001
            # A hook is known by its name, and its list by `self` (`fit_call.callback_list`).
            passed(batch)

        callbacks.on_train_batch_end = MethodType(on_train_batch_end, callbacks)

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
