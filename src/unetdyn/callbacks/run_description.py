"""What `run.json` says of a training beside how it went: what its metrics are, how it was set up, its stages."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from unetdyn.analysis.declarations import UNDECLARED, Direction
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.batch_sizes import batch_size_of, samples_counted
from unetdyn.callbacks.logged_number import learning_rate_of
from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.callbacks.monitor import Recorded
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.callbacks.setup import setup

_STATE = ("metrics", "setup", "stages", "more", "_next_stage", "_noted", "_first_rate", "_samples")


class RunDescription:
    """Is read from a model while it trains, and declared to the writer of the run.

    Args:
        written: Where to.
        monitors: Those whose records are kept.

    Attributes:
        metrics: The model's metrics, without `val_`, that are logged, and what is better of each.
        setup: Of the last `fit` that had an epoch.
        stages: `name`, first `epoch` and `setup` of those that have begun.
        more: Whether a stage follows on the one that is trained.
    """

    def __init__(self, written: PatientWriter, monitors: Sequence[Recorded]) -> None:
        self._written = written
        self._monitors = monitors
        declaring = [each for each in monitors if each.declaration is not UNDECLARED]
        self._declared = {each.name: each.declaration.named(each.name) for each in declaring}
        self.metrics: dict[str, Direction | None] = {}
        self.setup: dict[str, Any] = {}
        self.stages: list[dict[str, Any]] = []
        self.more = False
        self._next_stage: str | None = None
        self._noted = False
        self._first_rate: float | None = None
        self._samples: float | None = None

    def get_state(self) -> dict[str, Any]:
        """What was read so far, and what comes next."""
        return copy.deepcopy({name: getattr(self, name) for name in _STATE})

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was; its writer has declared all of it."""
        for name in _STATE:
            setattr(self, name, copy.deepcopy(state[name]))

    @property
    def log_keys(self) -> LogKeys:
        """Which logged values are metrics, and what the monitors declare of theirs."""
        return LogKeys(self.metrics, self._declared)

    def declare_monitors(self) -> None:
        """Say what they write; before the first epoch."""
        self._written.declare(monitors={name: declared.as_json() for name, declared in self._declared.items()})

    def announce_stage(self, name: str, more: bool) -> None:
        """Say that the next `fit` is a stage; see `RunRecorder.begin_stage`."""
        stages, epochs = self.stages, self._written.epochs
        if not stages and epochs:
            stages = [{"name": "before", "epoch": epochs[0]["epoch"], "setup": self.setup}]
        known = [stage["name"] for stage in stages]
        if not isinstance(name, str) or not name or name in known:
            raise ValueError(
                f"`name` must be a text that no earlier stage has; those are {known}. Received: name={name!r}."
            )
        self.stages, self._next_stage, self.more = stages, name, more

    def begin_fit(self, epoch: int) -> None:
        """A `fit` begins, which may be a stage."""
        self._noted = False
        if self._next_stage is None:
            self.more = False
            return
        name, self._next_stage, self._first_rate = self._next_stage, None, None
        self.stages.append({"name": name, "epoch": epoch, "setup": {}})
        self._written.declare(stages=self.stages)
        self._written.event("stage", f"Stage {name!r} began at epoch {epoch + 1}.", epoch=epoch, stage=name)

    def begin_epoch(self, model: keras.Model) -> None:
        """Read the rate before the first step changes it."""
        self._samples = None
        if self._first_rate is None:
            self._first_rate = learning_rate_of(model).get("learning_rate")

    def begin_test(self, model: keras.Model) -> None:
        """Note how many samples the loss has counted, before validation makes it count its own."""
        if self._samples is None:
            self._samples = samples_counted(model)

    def end_epoch(self, model: keras.Model, params: Mapping[str, Any], logs: Mapping[str, Any]) -> None:
        """Once a `fit`, at the end of its first epoch: before, Keras has not made the metrics."""
        if not self._noted:
            found = metric_directions(model)
            self.metrics = {name: way for name, way in found.items() if {name, f"val_{name}"} & logs.keys()}
            self._note_setup(model, params)

    def end_within_epoch(self, model: keras.Model, params: Mapping[str, Any]) -> None:
        """What is known of a `fit` that ended in its first epoch."""
        if not self._noted:
            self._note_setup(model, params)

    def choose_by(self, name: str, direction: Direction | None) -> None:
        """What the best epoch is chosen by holds for whoever reads the run."""
        base = name.removeprefix("val_")
        if self.metrics.get(base, direction) != direction:
            self.metrics[base] = direction
            self._written.declare(metrics=self.metrics)

    def _note_setup(self, model: keras.Model, params: Mapping[str, Any]) -> None:
        self._noted = True
        samples = samples_counted(model) if self._samples is None else self._samples
        # `samples` is what there is of the batch size without a monitor; what counts batches belongs here.
        batch_size = batch_size_of(model, self._monitors, samples, params.get("steps"))
        self.setup = setup(model, params, self._first_rate, batch_size)
        if self.stages and not self.stages[-1]["setup"]:  # a `fit` that is no stage may come after it
            self.stages[-1]["setup"] = self.setup
        self._written.declare(metrics=self.metrics, setup=self.setup, stages=self.stages)
