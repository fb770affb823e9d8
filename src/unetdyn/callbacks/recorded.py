"""What monitors and controls share: a name, a record and messages, which is what `RunRecorder` keeps of them."""

import abc
import warnings
from typing import Any, ClassVar

import keras

# The public keras.utils does not export it; it prints as Keras itself does, and respects disable_interactive_logging.
from keras.src.utils import io_utils

from unetdyn.analysis.declarations import UNDECLARED, Declaration


class Recorded(keras.callbacks.Callback, abc.ABC):
    """A callback that keeps a record and says what it has seen or done.

    An epoch 0 starts both anew; a `fit` with `initial_epoch` > 0 carries on with them.

    Args:
        name: The name under which `RunRecorder` keeps the record; default that of the declaration.
        verbose: 1 prints messages as they come; 0 is silent.

    Attributes:
        declaration: What it writes, of the class: its log keys, its arrays, its displays.
        messages: (epoch, sentence) pairs, printed or not.
        results: By name, dataclasses of the numbers that matter in the end; they go into the run's summary.
    """

    declaration: ClassVar[Declaration] = UNDECLARED

    def __init__(self, name: str | None = None, verbose: int = 0) -> None:
        super().__init__()
        self.name = self.declaration.name if name is None else name
        self.verbose = verbose
        self._epoch = 0
        self._restart()

    @property
    @abc.abstractmethod
    def record(self) -> dict[str, Any]:
        """Arrays by name, or dictionaries of arrays by block."""

    def _restart(self) -> None:
        """Forget an earlier training; a subclass with state of its own extends this."""
        self.messages: list[tuple[int, str]] = []
        self.results: dict[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start anew with a new training."""
        self._epoch = epoch
        if epoch == 0:
            self._restart()

    def _say(self, message: str) -> None:
        self.messages.append((self._epoch, message))
        if self.verbose:
            io_utils.print_msg(f"\nEpoch {self._epoch + 1}: {message}")

    def _warn(self, message: str, stacklevel: int) -> None:
        """A message that is a warning too; `stacklevel` as if `warnings.warn` were called instead of this."""
        self.messages.append((self._epoch, message))
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)

    def read(self) -> dict[str, float]:
        """Take into the record what an exception left of an unfinished epoch.

        Returns:
            What goes into `logs`; nothing where there is nothing to take.
        """
        return {}
