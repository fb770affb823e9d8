"""The state of a training in front of a validation that takes long, for what ends it in the midst of that."""

import time
from collections.abc import Callable
from typing import Any

import keras

from unetdyn.callbacks.captured import State

LONG = 10.0
"""Seconds from which on a validation is long: for less a signal can wait. SLURM and Kubernetes kill 30 seconds after
theirs, if nothing else is said."""


class BeforeValidation(keras.callbacks.Callback):
    """The first of the callbacks of a `fit`; keeps one state, from an epoch's last step until its validation is over.

    While a validation runs the state can't be taken: sums of metrics are the validation's, callbacks may have put other
    weights in place, as `SwapEMAWeights` does, and know half of it. So it is taken when it begins, before any other
    callback hears of it, where the last validation was long, or there was none yet.

    Args:
        take: Gives the state; None where there is no need of it.
        look: Called with what is kept, or None, before each batch.
        now: A clock, for tests.

    Attributes:
        state: What is kept, or None.
    """

    def __init__(
        self,
        take: Callable[[], State | None],
        look: Callable[[State | None], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._take, self._look, self._now = take, look, now
        self._began = 0.0
        self._seconds: float | None = None
        self.state: State | None = None

    def get_state(self) -> dict[str, Any]:
        """How long a validation takes is found out again."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing comes back."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Take the state."""
        self._began = self._now()
        self.state = self._take() if self._seconds is None or self._seconds > LONG else None

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let the run look whether it is needed."""
        self._look(self.state)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """It is not."""
        self._seconds, self.state = self._now() - self._began, None
