"""The bases at the optimizer, for monitors and controls: a tap for the time of a fit, read once an epoch."""

import abc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from unetdyn._checks import check_count
from unetdyn.analysis.diagnosis.messages import steps as messages
from unetdyn.callbacks.monitor import Monitor, Recorded
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, OptimizerTap, Probe, Rows, blocks

Blocks = dict[str, list[int]]


class StepReader(Recorded):
    """A callback that sees every training step, and reads what happened in them once an epoch.

    No batch hook is overridden: no step waits for the host. Where a `fit` with `initial_epoch` > 0 carries on with the
    record, the numbers of the steps carry on too. After an exception, which skips Keras' last hook, the tap stays until
    the next training of the model begins, and `read` brings in the steps of the unfinished epoch.

    Args:
        name: The name under which `RunRecorder` keeps the record; default that of the declaration.
        verbose: 1 prints messages as they come; 0 is silent.
    """

    def __init__(self, name: str | None = None, verbose: int = 0) -> None:
        self._tap: OptimizerTap | None = None
        self._optimizer: keras.Optimizer | None = None
        self._blocks: Blocks = {}
        self._shift: int | None = None
        self._warned = False
        self._told = False
        super().__init__(name, verbose)

    @abc.abstractmethod
    def _empty_record(self) -> StepRecord:
        """The record before the first step."""

    @abc.abstractmethod
    def _measure(self, rows: Rows, blocks: Blocks) -> dict[str, float]:
        """Put the rows of an epoch into `self._series`, say what is worth saying, and return what goes into `logs`.

        Args:
            rows: The steps since the last call, at least one; `rows.step` never repeats a number.
            blocks: Block name → columns of `rows`, in the order of the network; without variables that are frozen.
        """

    @abc.abstractmethod
    def probe(self) -> Probe | None:
        """What goes into the measured step of the coming `fit`."""

    def _attach(self) -> OptimizerTap:
        return OptimizerTap(self.model, self.probe(), session=self.params)

    def _new_optimizer(self) -> None:
        """A `fit` begins with another optimizer, as a stage of a training does, whose loss may be another one too.

        A subclass forgets here what steps that come are compared or pooled with; the record is kept.
        """

    def _restart(self) -> None:
        super()._restart()
        self._series = self._empty_record()
        self._next_step = 0

    def get_state(self) -> dict[str, Any]:
        """What a resumed training needs of it: the record, the numbers of the steps, and rows that wait to be read."""
        return super().get_state() | {
            "series": self._series.get_state(),
            "next_step": self._next_step,
            "shift": self._shift,
            "warned": self._warned,
            "told": self._told,
            "tap": None if self._tap is None else self._tap.get_state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._series.set_state(state["series"])
        self._next_step, self._shift = state["next_step"], state["shift"]
        self._warned, self._told = state["warned"], state["told"]
        if self._tap is not None and state["tap"] is not None:
            self._tap.set_state(state["tap"])

    @property
    def record(self) -> dict[str, Any]:
        """What was measured, as arrays with one element a step, or a dictionary of them by block."""
        return self._series.arrays | self._settings

    @property
    def _settings(self) -> dict[str, Any]:
        """Arrays without an axis, which belong to the record: by what it was judged."""
        return {}

    def record_since(self, row: int) -> tuple[int, dict[str, Any]] | None:
        """The steps from one on; None where a subclass has a record of its own."""
        if type(self).record is not StepReader.record:
            return None
        first = row if row <= len(self._series) else 0
        return first, self._series.since(first) | self._settings

    def count_from(self, step: int) -> None:
        """Number the steps of the next `fit` from here on: a training goes on that began without this callback.

        Args:
            step: How many steps there were before it, ≥ 0. Numbers that are in the record already never come again.
        """
        check_count("step", step, 0, "steps")
        self._next_step = max(self._next_step, step)

    @property
    def variables(self) -> list[keras.Variable]:
        """What the columns of the rows belong to; empty before the first `fit`."""
        return self._tap.variables if self._tap is not None else []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Attach the tap."""
        if self._tap is not None:
            self._tap.detach()
        self._told = False
        if self._optimizer is not self.model.optimizer:
            self._optimizer = self.model.optimizer
            self._new_optimizer()
        self._tap = self._settled_tap()
        self._blocks = {}
        self._shift = None

    def _settled_tap(self) -> OptimizerTap | None:
        """The tap of the coming training; None where a monitor does without."""
        return self._attach()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start anew with a new training, and see whether the tap is still there."""
        super().on_epoch_begin(epoch, logs)
        self._tell_if_detached()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Read the epoch's steps, and write into `logs`."""
        scalars = self.read()
        self._put_into_logs(logs, scalars)
        self._tell_if_detached()
        if not self._told and not scalars and not len(self._series) and not self._warned:
            self._warned = True
            self._warn_of_no_steps()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Leave the optimizer as it was."""
        if self._tap is not None:
            self._tap.detach()
            self.read()

    def read(self) -> dict[str, float]:
        """Take the steps since the last reading into the record.

        Called at the end of each epoch; call it yourself after an exception, for the steps of the unfinished epoch.

        Returns:
            What goes into `logs`; nothing where there was no step.
        """
        if self._tap is None:
            return {}
        rows = self._tap.read()
        if not len(rows):
            return {}
        self._blocks = self._blocks or blocks(self.model, self._tap.variables)
        return self._measure(self._numbered(rows), _trained(self._blocks, rows, self._tap.variables))

    def _numbered(self, rows: Rows) -> Rows:
        """Rows whose numbers carry on: a new optimizer, or steps that were skipped, would repeat some."""
        if self._shift is None:
            self._shift = max(0, self._next_step - int(rows.step[0]))
        self._next_step = int(rows.step[-1]) + self._shift + 1
        return replace(rows, step=rows.step + self._shift)

    def _warn_of_no_steps(self) -> None:
        optimizer = type(self.model.optimizer).__name__
        self._warn(messages.no_steps_seen(type(self).__name__, self._epoch, optimizer), stacklevel=3)

    def _tell_if_detached(self) -> None:
        """Once a training: that it runs is certain, since it calls."""
        if self._told or self._tap is None:
            return
        reason = messages.TAKEN_OFF if not self._tap.attached else messages.ANOTHER_OPTIMIZER
        if not self._tap.attached or self.model.optimizer is not self._optimizer:
            self._told = True
            self._warn(messages.detached(type(self).__name__, self._epoch, reason), stacklevel=3)


class StepMonitor(StepReader, Monitor):
    """A monitor at the optimizer: it measures every step, and reads the measurements once an epoch.

    A subclass says in `_empty_record` what it records and in `_measure` how it makes it from the steps' rows; with
    `probe` it may add columns of its own.
    """

    _unattached: str | None = None  # why it can't attach to the optimizer of this `fit`

    def probe(self) -> Probe | None:
        """What it adds to the measured step, new for each `fit`; None, where the tap's own columns are enough."""
        return None

    def _settled_tap(self) -> OptimizerTap | None:
        """What it would tell is no reason to end a training: where it can't attach, it stands aside."""
        self._unattached = None
        try:
            return self._attach()
        except Exception as error:  # whatever an optimizer of somebody's own raises
            self._told = True
            self._unattached = f"{type(error).__name__}: {error}"
            return None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Say why it stands aside, now that what an earlier training left is forgotten."""
        super().on_epoch_begin(epoch, logs)
        if self._unattached is not None and self.is_new("unattached", {self._unattached}):
            self._warn(messages.not_attached(type(self).__name__, self._unattached), stacklevel=2)

    def _restart(self) -> None:
        super()._restart()
        self._reported: dict[str, set[str]] = {}

    def get_state(self) -> dict[str, Any]:
        """With what it has told of already."""
        reported = {trouble: sorted(places) for trouble, places in self._reported.items()}
        return super().get_state() | {"reported": reported}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._reported = {trouble: set(places) for trouble, places in state["reported"].items()}

    def is_new(self, trouble: str, places: set[str]) -> bool:
        """Whether trouble begins, comes back after an epoch without any, or reaches further places."""
        known = self._reported.get(trouble, set())
        self._reported[trouble] = known | places if places else set()
        return bool(places - known)


class StepControl(StepReader):
    """A control at the optimizer: inside the compiled step it changes gradients or forbids the update.

    A subclass gives in `probe` what acts, says in `_empty_record` what it records, and in `_measure` accounts for what
    was done. When it has nothing to do, training is unchanged, as with a monitor.
    """

    @abc.abstractmethod
    def probe(self) -> Control:
        """What acts inside the step, new for each `fit`."""


def _trained(found: Blocks, rows: Rows, variables: list[keras.Variable]) -> Blocks:
    """The blocks without frozen variables: an optimizer that was built before keeps them, and they get no gradient.

    A variable that received a gradient counts as trained, even if it is frozen now.
    """
    reached = np.any(rows.grad_norm_sq, axis=0).tolist()
    if all(reached):
        return found
    trained = {place for place, variable in enumerate(variables) if variable.trainable or reached[place]}
    kept = {name: [place for place in places if place in trained] for name, places in found.items()}
    return {name: places for name, places in kept.items() if places}
