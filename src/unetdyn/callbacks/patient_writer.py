"""Writes a run, and ends no training where that fails."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras

from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.callbacks.aside import Aside
from unetdyn.callbacks.background import Background
from unetdyn.callbacks.model_copy import ModelCopy
from unetdyn.runs import RunWriter
from unetdyn.runs.input_recipe import InputRecipe, add_input


class PatientWriter:
    """Writes as `RunWriter` does; what can't be written is told once, and written as soon as that works again.

    Args:
        writer: Of a run.
        input_recipe: How the model's images were made ready, which goes into its file; None where nobody says it.

    Attributes:
        writer: The same.
        aside: Stands between the training and whatever else records it.
        background: Writes what is large while the training goes on.
        epochs: What there is for `epochs.jsonl`, one dictionary an epoch.
        events: What there is for `events.jsonl`, one dictionary an event, without the time.

    Example:
        >>> import tempfile
        >>> patient = PatientWriter(RunWriter(tempfile.mkdtemp()))
        >>> patient.log_epoch(0, {"loss": 0.5})
        >>> patient.epochs
        [{'epoch': 0, 'loss': 0.5}]
    """

    def __init__(self, writer: RunWriter, input_recipe: InputRecipe | None = None) -> None:
        self.writer = writer
        self._input_recipe = input_recipe
        self.aside = Aside(self._tell)
        self.background = Background(self._tell_later)
        self.epochs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def carry_on(self, writer: RunWriter, epochs: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
        """Write with a writer that has reopened the run, after what is kept of it."""
        self.writer, self.epochs = writer, epochs
        self.events = [{key: value for key, value in event.items() if key != "time"} for event in events]

    @property
    def ended(self) -> bool:
        """Whether it was said how the run has ended."""
        return self.writer.status != "running"

    def log_epoch(self, epoch: int, row: Mapping[str, Any]) -> None:
        """An epoch's numbers."""
        self.epochs.append({"epoch": epoch, **row})
        with self.aside("epochs.jsonl"):
            self.writer.log_epoch(epoch, row)

    def event(self, kind: str, message: str, **data: Any) -> None:
        """What happened."""
        self.events.append({"kind": kind, "message": message, **data})
        with self.aside("events.jsonl"):
            self.writer.event(kind, message, **data)

    def finding(self, kind: str, found: Finding, **details: Any) -> None:
        """What was found, as an event with its code and level."""
        self.event(kind, found.sentence, **details, code=found.code, level=found.level)

    def warn(self, found: Finding, stacklevel: int, **details: Any) -> None:
        """A finding that is a warning too; `stacklevel` as if `warnings.warn` were called instead of this."""
        self.finding("warning", found, **details)
        warnings.warn(found.sentence, UserWarning, stacklevel=stacklevel + 1)

    def save_arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """The record of a monitor."""
        with self.aside(f"dynamics/{name}.npz"):
            self.writer.save_arrays(name, **arrays)

    def append_arrays(self, name: str, first: int, arrays: Mapping[str, Any]) -> bool:
        """Further rows of it, from the one with the number `first` on; whether that worked."""
        with self.aside(f"dynamics/{name}"):
            self.writer.append_arrays(name, first, **arrays)
            return True
        return False

    def compact_arrays(self) -> None:
        """One file of each record that has grown."""
        with self.aside("dynamics"):
            self.writer.compact_arrays()

    def save_model(self, model: keras.Model) -> bool:
        """The model; whether that worked. If not, the file is what it was."""
        with self.aside("model.keras"):
            with self.writer.replacing("model.keras") as temporary:
                model.save(temporary)
                add_input(temporary, self._input_recipe)
            return True
        return False

    def write_copy(self, copied: ModelCopy) -> None:
        """The same of a copy, by any thread.

        Raises:
            Exception: Whatever keeps it from being written; the file is what it was.
        """
        with self.writer.replacing("model.keras") as temporary:
            copied.write(temporary)
            add_input(temporary, self._input_recipe)

    def declare(self, **said: Any) -> None:
        """What the logged values are, as `RunWriter.declare` takes it."""
        with self.aside("run.json"):
            self.writer.declare(**said)

    def finish(self, status: str, summary: Mapping[str, Any]) -> None:
        """How the run ended."""
        with self.aside("what was left to write"):
            self.writer.flush()
        with self.aside("run.json"):
            self.writer.finish(status, summary)

    def resume(self) -> None:
        """The training goes on."""
        if self.ended:
            with self.aside("run.json"):
                self.writer.resume()

    def _tell(self, what: str, error: Exception) -> None:
        self.warn(messages.not_written(what, error), stacklevel=4)

    def _tell_later(self, what: str, error: Exception) -> None:
        with self.aside(what):
            raise error
