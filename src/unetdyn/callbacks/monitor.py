"""The bases: what monitors and controls share, which is what `RunRecorder` keeps of them, and what measures."""

import abc
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras

# The public keras.utils does not export it; it prints as Keras itself does, and respects disable_interactive_logging.
from keras.src.utils import io_utils

from unetdyn.analysis.declarations import UNDECLARED, Declaration
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import trainings as messages
from unetdyn.callbacks.epoch_count import EpochCount, is_new_in_each_fit
from unetdyn.callbacks.neighbours import concerns


class Recorded(keras.callbacks.Callback, abc.ABC):
    """A callback that keeps a record and says what it has seen or done.

    Another training starts both anew, and a warning says so. A `fit` that goes on with the same model carries on with
    them, whether its `initial_epoch` says so or it counts from 0 again, as in a loop of `fit(epochs=1)`.

    Args:
        name: The name under which `RunRecorder` keeps the record; default that of the declaration.
        verbose: 1 prints what was found as it comes; 0 is silent.

    Attributes:
        declaration: What it writes, of the class: its log keys, its arrays, its displays.
        record: A property: arrays by name, or dictionaries of arrays by block.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs of the findings. Read-only: `report` adds to both.
        results: By name, dataclasses of the numbers that matter in the end; they go into the run's summary.
    """

    declaration: ClassVar[Declaration] = UNDECLARED
    undefined: str | None = None  # of a monitor that can be told: "absent" or "nan"

    def __init__(self, name: str | None = None, verbose: int = 0) -> None:
        super().__init__()
        self.name = self.declaration.name if name is None else name
        self.verbose = verbose
        self._epoch = 0
        self._epoch_count = EpochCount()
        self._said_anew = self._looked_around = False
        self._restart()

    @property
    @abc.abstractmethod
    def record(self) -> dict[str, Any]:
        """Arrays by name, or dictionaries of arrays by block."""

    def record_since(self, row: int) -> tuple[int, dict[str, Any]] | None:  # noqa: ARG002
        """Of a record that only grows, the rows from one on, so that an epoch's end writes those of the epoch.

        Args:
            row: Its number, from 0.

        Returns:
            The number of the first of them, 0 where the record has begun anew, and its arrays, as of `record`. None of
            a record that is written as a whole; a number above 0 and no arrays where nothing is new in it.
        """
        return None

    def _restart(self) -> None:
        """Forget an earlier training; a subclass with state of its own extends this."""
        self.findings: list[tuple[int, Finding]] = []
        self._keys_in_logs: set[str] = set()
        self.results: dict[str, Any] = {}

    def get_state(self) -> dict[str, Any]:
        """What another process needs of it to resume the training; a subclass with state of its own extends this.

        Returns:
            Dictionaries with texts as keys, lists, tuples, texts, numbers, booleans, None and arrays; nothing in it
            changes afterwards. Arguments are not among it.
        """
        return {
            "epoch": self._epoch,
            "epoch_count": self._epoch_count.get_state(),
            "findings": [(epoch, finding.get_state()) for epoch, finding in self.findings],
            "keys_in_logs": sorted(self._keys_in_logs),
            "said_anew": self._said_anew,
            "looked_around": self._looked_around,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, as if the training had not been interrupted; after `on_train_begin`.

        Args:
            state: From `get_state` of a callback with equal arguments. Given twice it does no harm.
        """
        self._epoch = state["epoch"]
        self._epoch_count.set_state(state["epoch_count"], self._model, self.params)
        self.findings = [(epoch, Finding(**finding)) for epoch, finding in state["findings"]]
        self._keys_in_logs = set(state["keys_in_logs"])
        self._said_anew, self._looked_around = state["said_anew"], state["looked_around"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start anew with a new training."""
        before = self._epoch_count.epochs
        begun = self._epoch_count.begin(epoch, self._model, self.params)
        self._epoch = self._epoch_count.epoch
        if begun == "anew":
            self._restart()
            if before and self._model is not None and not self._said_anew:
                self._said_anew = True
                self._warn(messages.begins_anew(type(self).__name__, before, self._epoch_count.reason), stacklevel=2)
        if not before and is_new_in_each_fit(f"{type(self).__name__} {self.name}", self._model, self.params):
            self._warn(messages.new_in_each_fit(type(self).__name__), stacklevel=2)

    @property
    def messages(self) -> tuple[tuple[int, str], ...]:
        """(epoch, sentence) pairs: what was found, as a person reads it."""
        return tuple((epoch, finding.sentence) for epoch, finding in self.findings)

    def _put_into_logs(self, logs: dict[str, Any] | None, scalars: Mapping[str, float]) -> None:
        """Write into `logs`; a value that was never a number so far is left out.

        A callback that keeps the best so far takes its first value for the best, and nothing is better than NaN. Where
        there was a number before, NaN is no improvement to any of them, and the key must be there: `ModelCheckpoint`
        saves in epochs that lack it.
        """
        if logs is None:
            return
        with_nan = self.undefined == "nan"
        unknown = [key for key, x in scalars.items() if math.isnan(x) and key not in self._keys_in_logs]
        self._keys_in_logs |= scalars.keys() - (() if with_nan else unknown)
        logs.update({key: value for key, value in scalars.items() if key in self._keys_in_logs})
        if unknown and not self._looked_around:
            self._looked_around = True
            for concern in concerns(type(self).__name__, unknown, with_nan, self.undefined is not None):
                self._warn(concern, stacklevel=3)

    def report(self, finding: Finding) -> None:
        """Keep what was found in this epoch, and print it where that is asked for."""
        self.findings.append((self._epoch, finding))
        if self.verbose:
            io_utils.print_msg(f"\nEpoch {self._epoch + 1}: {finding.sentence}")

    def _warn(self, finding: Finding, stacklevel: int) -> None:
        """A finding that is a warning too; `stacklevel` as if `warnings.warn` were called instead of this."""
        self.findings.append((self._epoch, finding))
        warnings.warn(finding.sentence, UserWarning, stacklevel=stacklevel + 1)

    def read(self) -> dict[str, float]:
        """Take into the record what an exception left of an unfinished epoch.

        Returns:
            What goes into `logs`; nothing where there is nothing to take.
        """
        return {}


class Monitor(Recorded):
    """A callback that measures, writes numbers into `logs` and keeps a record. It never changes training.

    Weights with and without it are equal to the last bit; where XLA sees the whole step, to float rounding. What acts
    on training is a control; see `StepControl`.

    For a monitor of your own, subclass it, give its arrays as `record`, which is a property, write scalars into `logs`
    in `on_epoch_end`, and declare both: a report then draws the record, and takes none of the keys for a metric of the
    model. What it has to say goes to `report`, as a `unetdyn.analysis.diagnosis.Finding`; `messages` is read-only, and
    made of these findings. What it keeps from one epoch to the next goes into `get_state`, and comes back in
    `set_state`, each with what `super()` has: else a training that is resumed goes on without it.

    Example:
        >>> import numpy as np
        >>> from unetdyn.analysis.declarations import Declaration
        >>> class Headroom(Monitor):
        ...     declaration = Declaration("headroom", keys={"{name}": "down"}, columns=("{name}",), arrays=("rest",))
        ...     rest = ()
        ...
        ...     @property
        ...     def record(self):
        ...         return {"rest": np.array(self.rest)}
        ...
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         logs[self.name] = 1.0 - logs["val_jaccard"]
        ...         self.rest = (*self.rest, logs[self.name])
        >>> Headroom().name, Headroom("mine").name
        ('headroom', 'mine')
    """


def checked_monitors(monitors: Sequence[Recorded]) -> tuple[Recorded, ...]:
    """What may be given to a recorder: monitors and controls whose names differ."""
    for monitor in monitors:
        if not isinstance(monitor, Recorded):
            raise TypeError(
                "`monitors` must be monitors or controls of `unetdyn.callbacks`, or subclasses of its `Monitor`. "
                f"Received: {type(monitor).__name__}."
            )
    names = [monitor.name for monitor in monitors]
    if len(set(names)) < len(names):
        raise ValueError(f"`monitors` must have different names, which become file names. Received: {names}.")
    return tuple(monitors)
