"""What monitors and controls share: a name, a record and messages, which is what `RunRecorder` keeps of them."""

import abc
from typing import Any, ClassVar

import keras

from unetdyn.analysis.declarations import UNDECLARED, Declaration


class Recorded(keras.callbacks.Callback, abc.ABC):
    """A callback that keeps a record and says what it has seen or done.

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
        self.messages: list[tuple[int, str]] = []
        self.results: dict[str, Any] = {}

    @property
    @abc.abstractmethod
    def record(self) -> dict[str, Any]:
        """Arrays by name, or dictionaries of arrays by block."""

    def read(self) -> dict[str, float]:
        """Take into the record what an exception left of an unfinished epoch.

        Returns:
            What goes into `logs`; nothing where there is nothing to take.
        """
        return {}
