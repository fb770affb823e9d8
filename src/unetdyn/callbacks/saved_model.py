"""The model that a run keeps: that of the best epoch, with the weights that were validated."""

from collections.abc import Mapping
from typing import Any

import keras

from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.callbacks.best_model import BestModel
from unetdyn.callbacks.evaluated_weights import EvaluatedWeights
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.callbacks.run_description import RunDescription


class SavedModel:
    """Compares the epochs, and saves the model of one that is better than those before.

    Args:
        written: Where to.
        described: What is known of the logged values.
        name: What the epochs are compared by, as `BestModel` takes it.
        mode: The same.

    Attributes:
        choice: The `BestModel`.
        weights: Which weights were validated.
    """

    def __init__(self, written: PatientWriter, described: RunDescription, name: str | None, mode: str) -> None:
        self._written, self._described = written, described
        self.choice = BestModel(name, mode)
        self.weights = EvaluatedWeights()

    def get_state(self) -> dict[str, Any]:
        """What another process needs to go on comparing; the model is in its file."""
        return {"choice": self.choice.get_state(), "weights": self.weights.get_state()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was."""
        self.choice.set_state(state["choice"])
        self.weights.set_state(state["weights"])

    def compare(self, epoch: int, logs: Mapping[str, Any], model: keras.Model, stacklevel: int) -> None:
        """Save the model if this epoch is the best so far; where that fails, the best is the last one that was saved.

        Args:
            epoch: From 0.
            logs: Of the epoch.
            model: As it is now.
            stacklevel: Of warnings, as if `warnings.warn` were called instead of this.
        """
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
        with self.weights.in_model():
            saved = self._written.save_model(model)
        if saved:
            self.choice.best = (epoch, value)
            text = f"Epoch {epoch + 1} is the best so far: {name} {value:.4g}."
            self._written.event("best", text, epoch=epoch, value=value)
