"""The last of the callbacks of a `fit`, who hears of each moment when all others have."""

from typing import Any, Protocol

import keras


class Hears(Protocol):
    """Who is told."""

    def begin(self) -> None:
        """All callbacks have begun."""

    def begin_epoch(self, epoch: int) -> None:
        """All callbacks have begun it."""

    def end_epoch(self, epoch: int) -> None:
        """All callbacks have ended it."""

    def end(self) -> None:
        """The training has ended."""


class LastWord(keras.callbacks.Callback):
    """When its hooks are called, all others have been.

    Args:
        run: Who is told.
    """

    def __init__(self, run: Hears) -> None:
        super().__init__()
        self.run = run

    def get_state(self) -> dict[str, Any]:
        """Its run has none either."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing comes back."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """They have begun."""
        self.run.begin()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """They have begun it."""
        self.run.begin_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """They have ended it."""
        self.run.end_epoch(epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """They have ended."""
        self.run.end()
