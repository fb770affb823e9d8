"""A state on its way back into a `fit`, which arrives when all callbacks have begun, or before a step of an epoch."""

from collections.abc import Iterator
from typing import Any

import keras

from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import resume as messages
from unetdyn.callbacks.captured import Moment, State, put_into_place
from unetdyn.callbacks.data_order import order_not_restored
from unetdyn.callbacks.fit_call import steps_per_epoch
from unetdyn.callbacks.lost_state import optimizers_beside
from unetdyn.callbacks.random_state import set_random_state
from unetdyn.callbacks.skipped_batches import SkippedBatches


class Resumption:
    """Puts a state back at the moment at which it was taken.

    It is put back when all callbacks have begun, so that the epoch begins with it. One of within an epoch is put back
    once more before its step, when what came before that has been drawn, and passed over. One of between the last step
    of an epoch and its validation, which has the logs of that step, is put back when all steps have been passed over.

    Args:
        state: From `captured`, with the random numbers of then, and of the beginning of its epoch.
        model: Built and compiled; its optimizer is built too.
        callbacks: Of the `fit`.
        adapter: Keras' adapter of the data, or None.

    Attributes:
        moment: Before which step it was taken.
        arrived: Whether it has been put back there.
    """

    def __init__(self, state: State, model: keras.Model, callbacks: keras.callbacks.CallbackList, adapter: Any) -> None:
        self._state, self._model, self._callbacks, self._adapter = state, model, callbacks, adapter
        self._skipped: SkippedBatches | None = None
        self._logs = state.get("logs")
        self.moment = Moment(state["epoch"], state["step"], state["within"])
        self.arrived = False

    @property
    def at_validation(self) -> bool:
        """Whether all steps of the epoch were done."""
        return self._logs is not None

    def begin(self) -> None:
        """All callbacks have begun, and no epoch."""
        put_into_place(self._state, self._model, self._callbacks.callbacks, self._adapter, metrics=False)
        self._draw_as_then()

    def begin_epoch(self) -> bool:
        """All callbacks have begun the epoch; whether that is where the state was taken."""
        if not self.moment.within:
            return True
        self._draw_as_then()  # callbacks may have drawn meanwhile
        self._skipped = SkippedBatches(self._model, self._callbacks, self._logs or {}, self._passed)
        return False

    def begin_step(self, step: int) -> bool:
        """A step is about to begin; whether that is where the state was taken."""
        if step < self.moment.step:
            return False
        if not self.arrived:
            self._arrive()
        return True

    def _passed(self, step: int) -> None:
        if self.at_validation and step + 1 >= self.moment.step:
            self._arrive()

    def _arrive(self) -> None:
        if self._skipped is not None:
            self._skipped.end()
        put_into_place(self._state, self._model, self._callbacks.callbacks, None, metrics=True)
        set_random_state(self._state["random"])
        self.arrived = True

    def begin_validation(self) -> None:
        """A validation is about to begin; on PyTorch Keras has drawn random numbers on the way there."""
        if self.arrived:
            set_random_state(self._state["random"])

    def give_up(self) -> None:
        """The `fit` was left before that."""
        if self._skipped is not None:
            self._skipped.give_back()

    def concerns(self) -> Iterator[Finding]:
        """What does not come back."""
        steps = steps_per_epoch(self._callbacks) if self.moment.epoch else None  # at first a stream begins in any case
        if (found := order_not_restored(self._adapter, steps)) is not None:
            yield found
        if names := optimizers_beside(self._model):
            yield messages.optimizers_not_kept(names)
        for who, attributes in self._state["lost"]:
            yield messages.callback_without_state(who, attributes)

    def _draw_as_then(self) -> None:
        """As at the beginning of the epoch, whose order may be drawn from the global random numbers."""
        set_random_state(self._state["random_of_epoch"] if self.moment.within else self._state["random"])
