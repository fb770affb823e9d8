"""What a person sees while an experiment trains: one moving line in a terminal, one line an epoch in a log file."""

import time
from typing import Any, TextIO

import keras

BAR = 24  # characters
REFRESH = 0.1  # seconds


class Progress(keras.callbacks.Callback):
    """Shows the epoch's progress on a terminal, and writes one line per epoch everywhere.

    Keras' own progress bar prints every metric of every batch, which wraps in a terminal and fills a log file.

    Args:
        stream: Where to write; the moving line appears only if it is a terminal.
        columns: Names in `logs` that are shown, in this order, where present.
    """

    # The batch hook reads only the step's number, so Keras need not wait for the step to end.
    async_safe = True

    def __init__(self, stream: TextIO, columns: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.stream = stream
        self.columns = columns
        self._closed = False
        self._epoch = 0
        self._last: int | None = None
        self._started = self._drawn = 0.0

    def get_state(self) -> dict[str, Any]:
        """Nothing: a resumed training shows what comes."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing to do."""

    def begin_stage(self, name: str, last: int) -> None:
        """Count up to the last epoch of all stages, where `fit` knows that of one; say which begins, if it has a name.

        Args:
            name: Of the stage; empty where there is only one.
            last: How many epochs there will be after all stages, as it is planned now.
        """
        self._last = last
        if name:
            self._write(f"Stage {name}\n")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._epoch, self._started = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Move the line, in a terminal."""
        now = time.monotonic()
        if now - self._drawn >= REFRESH and self._is_terminal():
            self._drawn = now
            self._write("\r\x1b[K" + self._moving_line(batch + 1, now - self._started))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write the epoch's line, which stays."""
        erase = "\r\x1b[K" if self._is_terminal() else ""
        self._write(erase + self._epoch_line(logs or {}, time.monotonic() - self._started) + "\n")

    def _write(self, text: str) -> None:
        """Nothing more, once there is nobody to read it: a closed terminal or pipe ends no training."""
        if self._closed:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            self._closed = True

    def _is_terminal(self) -> bool:
        return not self._closed and not self.stream.closed and self.stream.isatty()

    def _moving_line(self, step: int, seconds: float) -> str:
        steps = self.params.get("steps")
        if not steps:
            return f"{self._label()}  step {step}"
        filled = BAR * step // steps
        left = seconds / step * (steps - step)
        return f"{self._label()}  [{'#' * filled}{'.' * (BAR - filled)}] {step}/{steps}  {left:.0f} s left"

    def _epoch_line(self, logs: dict[str, Any], seconds: float) -> str:
        shown = [f"{name} {format_value(logs[name])}" for name in self.columns if name in logs]
        return "  ".join([self._label(), *shown, f"{seconds:.1f} s"])

    def _label(self) -> str:
        epochs = self._last or self.params["epochs"]
        return f"epoch {self._epoch + 1:{len(str(epochs))}d}/{epochs}"


def format_value(value: float) -> str:
    """Four digits that matter: fixed where that is readable, else scientific.

    >>> format_value(0.51234), format_value(0.0000312), format_value(float("nan"))
    ('0.5123', '3.12e-05', 'nan')
    """
    value = float(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 or value != value else f"{value:.2e}"
