"""The model that a run keeps: that of the best epoch, with the weights that were validated."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.callbacks.best_model import BestModel
from unetdyn.callbacks.evaluated_weights import EvaluatedWeights
from unetdyn.callbacks.model_copy import FreshState, ModelCopy
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.callbacks.run_description import RunDescription


class SavedModel:
    """Compares the epochs, and saves the model of one that is better than those before.

    The training waits for a copy of it on the host, and goes on while that is written. One copy is there at a time: the
    next one waits until the one before is on the disk. The best epoch is one whose file is.

    Args:
        written: Where to.
        described: What is known of the logged values.
        name: What the epochs are compared by, as `BestModel` takes it.
        mode: The same.
        save_optimizer: Whether the file has the state of the optimizer.

    Attributes:
        choice: The `BestModel`.
        weights: Which weights were validated.
    """

    def __init__(
        self,
        written: PatientWriter,
        described: RunDescription,
        name: str | None,
        mode: str,
        save_optimizer: bool = False,
    ) -> None:
        self._written, self._described = written, described
        self._fresh = None if save_optimizer else FreshState()
        self.choice = BestModel(name, mode)
        self.weights = EvaluatedWeights()

    def get_state(self) -> dict[str, Any]:
        """What another process needs to go on comparing; the model is in its file, or on its way there.

        Who keeps this must not do so before that is written.
        """
        awaited = self.choice.awaited
        return {"choice": self.choice.get_state(), "weights": self.weights.get_state(), "awaited": awaited}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was."""
        self.choice.set_state(state["choice"])
        self.weights.set_state(state["weights"])
        if state["awaited"] is not None:  # told after the next epoch, as if it was being written meanwhile
            epoch, value = state["awaited"]
            self._await((int(epoch), float(value)), lambda: None)

    def compare(self, epoch: int, logs: Mapping[str, Any], model: keras.Model, stacklevel: int) -> None:
        """Save the model if this epoch is the best so far; where that fails, the best is the last one that was saved.

        Args:
            epoch: From 0.
            logs: Of the epoch.
            model: As it is now.
            stacklevel: Of warnings, as if `warnings.warn` were called instead of this.
        """
        self._written.background.wait()  # so that no record depends on how fast a disk is
        self.choice.settle(logs, self._described.metrics)
        if self.choice.name in (None, "auto"):
            return
        name, stacklevel = str(self.choice.name), stacklevel + 1
        if (concern := self.choice.concern(epoch, logs, self._described.log_keys)) is not None:
            self._written.warn(concern, stacklevel, epoch=epoch)
        if (value := self.choice.value(logs)) is None:
            return
        self._described.choose_by(name, self.choice.direction)
        if not self.choice.is_better(value):
            return
        if name.startswith("val_") and self.weights.are_others():
            self._written.warn(messages.evaluated_other_weights(name), stacklevel, epoch=epoch)
        self.save(model, (epoch, value))

    def save(self, model: keras.Model, best: tuple[int, float] | None = None) -> None:
        """Save the model, in the background where a copy of it can be had.

        Args:
            model: As it is now.
            best: (epoch, value), if it is chosen by that.
        """
        self._written.background.wait()
        with self.weights.in_model():
            try:
                copied = ModelCopy(model, self._fresh)
            except Exception:  # of any kind: Keras has other ways to save it, or says why not
                if self._written.save_model(model):
                    self.choice.awaited = best
                    self._note(best)
                return
        self._await(best, self._writing(copied))

    def _await(self, best: tuple[int, float] | None, write: Callable[[], None]) -> None:
        self.choice.awaited = best
        self._written.background.submit("model.keras", write, lambda: self._note(best))

    def _writing(self, copied: ModelCopy) -> Callable[[], None]:
        def write() -> None:
            try:
                self._written.write_copy(copied)
            except BaseException:
                self.choice.awaited = None
                raise

        return write

    def _note(self, best: tuple[int, float] | None) -> None:
        """The file is there."""
        awaited, self.choice.awaited = self.choice.awaited, None
        if best is not None and awaited == best:
            epoch, value = self.choice.best = best
            text = f"Epoch {epoch + 1} is the best so far: {self.choice.name} {value:.4g}."
            self._written.event("best", text, epoch=epoch, value=value)
