"""How the record of a training is closed: by its end, an error, a signal, or the process leaving."""

from collections.abc import Mapping
from typing import Any

import keras

from unetdyn._warnings import Listener, unlisten
from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.callbacks import endings
from unetdyn.callbacks.monitor_records import MonitorRecords
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.callbacks.run_description import RunDescription
from unetdyn.callbacks.saved_model import SavedModel

SIGNAL_SECONDS = 5.0
"""What a signal's handler waits for a file that is half written: schedulers leave a process 10 to 30 s to end."""


class RunEnding:
    """Knows how far a training has come, and says how it ended.

    Args:
        written: Where to.
        described: The set-up, which is noted where the first epoch never ended.
        records: What monitors have measured.
        saved: The best epoch.
        listener: Who listens to warnings as long as the training goes on.

    Attributes:
        last_epoch: The last whole one, from 0; -1 before.
        seconds: What the whole epochs took.
        params: Of the `fit`.
    """

    def __init__(
        self,
        written: PatientWriter,
        described: RunDescription,
        records: MonitorRecords,
        saved: SavedModel,
        listener: Listener,
    ) -> None:
        self._written, self._described, self._records, self._saved = written, described, records, saved
        self._listener = listener
        self._signalled = self._refused = False
        self._model: keras.Model | None = None
        self.last_epoch = -1
        self.seconds = 0.0
        self.params: dict[str, Any] | None = None

    def get_state(self) -> dict[str, Any]:
        """How far the training has come."""
        return {"last_epoch": self.last_epoch, "seconds": self.seconds}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was."""
        self.last_epoch, self.seconds = state["last_epoch"], state["seconds"]

    def begin_fit(self, model: keras.Model) -> None:
        """A training begins, or goes on, and may be ended by a signal."""
        self._model, self.params = model, None
        self._signalled = self._refused = False
        endings.attend(self)

    def refuse(self) -> None:
        """That `fit` is none of this run's, and neither is how it ends."""
        self._refused = True
        endings.leave(self)

    def count(self, epoch: int, seconds: float) -> None:
        """An epoch has ended: if a signal came before, it did not end the process."""
        self._written.resume()
        self._signalled = False
        self.last_epoch = epoch
        self.seconds += seconds

    def end(self) -> None:
        """The training has come to its end, and a signal since the last epoch did not end it."""
        self._written.resume()
        self._written.compact_arrays()
        self._written.event("train_end", f"Training ended after epoch {self.last_epoch + 1}.", epoch=self.last_epoch)
        self._written.finish("finished", self._summary())
        endings.leave(self)

    def fail(self, error: BaseException) -> None:
        """An exception has ended it, unless a signal came before, which then did."""
        if self._refused:
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        text = f"{type(error).__name__}: {error}"
        self._written.background.wait()
        self._take_unfinished_epoch()
        if not self._signalled:
            self._close(status, f"Training stopped after {self.last_epoch + 1} whole epochs. {text}", text)
        unlisten(self._listener)
        endings.leave(self)

    def on_signal(self, name: str) -> None:
        """Note a signal that ends the process, before it does; the device, which may be at work, is not asked."""
        self._signalled = True
        text = messages.signalled(name, self.last_epoch + 1)
        self._close("interrupted", text, text, signal=name)
        background = self._written.background
        if background.busy and background.join(SIGNAL_SECONDS):
            background.settle()
            self._written.finish("interrupted", {**self._summary(), "error": text})

    def on_exit(self, error: BaseException | None) -> None:
        """Note that the process leaves before the training has ended."""
        self.fail(error if error is not None else RuntimeError("the process ended before the training did"))

    def _close(self, status: str, message: str, error: str, **more: str) -> None:
        self._written.event(status, message)
        self._written.finish(status, {**self._summary(), "error": error, **more})

    def _take_unfinished_epoch(self) -> None:
        """The cause of an error can be that nothing can be read from the device any more: then that is told."""
        try:
            self._records.write_unfinished()
            if self._model is not None and self.params is not None:
                self._described.end_within_epoch(self._model, self.params)
        except Exception as error:  # whatever the backend raises; the training's own error is the one to report
            self._written.finding("warning", messages.epoch_unread(error))

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {"epochs": self.last_epoch + 1, "seconds": round(self.seconds, 3)}
        with self._written.aside("the summary"):
            if self._model is not None and getattr(self._model, "built", False):
                summary["parameters"] = self._model.count_params()
            if (best := self._saved.choice.best) is not None:
                summary |= {"best_epoch": best[0], f"best_{self._saved.choice.name}": best[1]}
            summary |= self._records.results
        return summary
