"""The base of controls that act between two epochs: a record with a row an epoch, and what a new optimizer means."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.declarations import ROLLBACK
from unetdyn.callbacks.logged_number import learning_rate_of, logged_number
from unetdyn.callbacks.monitor import Recorded

State = dict[str, Any]


class EpochControl(Recorded):
    """A control that looks at an epoch's `logs` and acts before the next one begins; no step knows of it.

    Its record has the arrays that its declaration names; a subclass gives `_note` a row of them at each epoch's end.

    Args:
        name: The name under which `RunRecorder` keeps the record; default that of the declaration.
        verbose: 1 prints what it did as it does it; 0 is silent.
    """

    types: ClassVar[Mapping[str, str]] = {}
    """Array of the record → its type, where that is not float64; of `epoch` it is int64."""

    def __init__(self, name: str | None = None, verbose: int = 0) -> None:
        self._optimizer: keras.Optimizer | None = None
        super().__init__(name, verbose)

    def _new_optimizer(self) -> None:
        """Forget what epochs to come are compared with: a stage has another loss, or another rate. The record stays."""

    def _restart(self) -> None:
        super()._restart()
        self._rows: dict[str, list[Any]] = {name: [] for name in self.declaration.arrays}
        self._warned = False
        self._rollbacks_seen = 0.0
        self._new_optimizer()

    @property
    def record(self) -> dict[str, NDArray[Any]]:
        """What was seen and done, as arrays with one element an epoch."""
        types = {"epoch": "int64", **self.types}
        return {name: np.array(rows, dtype=types.get(name, "float64")) for name, rows in self._rows.items()}

    def _note(self, **row: Any) -> None:
        for name, rows in self._rows.items():
            rows.append(row[name])

    def _undone(self, logs: State) -> bool:
        """Whether a `DivergenceRollback` before this control has just undone the epoch, which then is no history."""
        seen, self._rollbacks_seen = self._rollbacks_seen, logged_number(logs.get(ROLLBACK.name)) or 0.0
        return self._rollbacks_seen > seen

    def _note_rate(self, logs: dict[str, Any]) -> None:
        """Put into `logs` the rate that the epoch had, as `keras.callbacks.ReduceLROnPlateau` does, before it changes.

        Else a recorder behind this control would take the rate of the next epoch for it.
        """
        for key, rate in learning_rate_of(self.model).items():
            logs.setdefault(key, rate)

    def on_train_begin(self, logs: State | None = None) -> None:  # noqa: ARG002
        """See whether the optimizer is another one than before."""
        if self._optimizer is not self.model.optimizer:
            self._optimizer = self.model.optimizer
            self._new_optimizer()

    def get_state(self) -> State:
        """The record, and what a subclass adds."""
        return super().get_state() | {
            "rows": self.record,
            "warned": self._warned,
            "rollbacks_seen": self._rollbacks_seen,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._rows = {name: state["rows"][name].tolist() for name in self.declaration.arrays}
        self._warned, self._rollbacks_seen = state["warned"], state["rollbacks_seen"]
