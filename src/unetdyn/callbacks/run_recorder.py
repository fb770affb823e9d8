"""Write a run directory from a user's own `model.fit`."""

import contextlib
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from unetdyn._warnings import listen, unlisten
from unetdyn.analysis.declarations import UNDECLARED, Direction
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.best_model import BestModel
from unetdyn.callbacks.logged_number import learning_rate_of, plain_value
from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.callbacks.monitor import Recorded, checked_monitors
from unetdyn.callbacks.noise_scale_sources import samples_counted
from unetdyn.callbacks.setup import batch_size_of, setup
from unetdyn.runs import RunWriter, replacing


class RunRecorder(keras.callbacks.Callback):
    """Records a training in a run directory that survives `kill -9`, to be opened with `unetdyn.runs.open`.

    After each epoch: the logs with the learning rate and the seconds it took go to `epochs.jsonl`, the monitors' arrays
    to `dynamics/`, their messages to `events.jsonl`, and the model, when it is the best so far, to `model.keras`. Each
    is on the disk before the next epoch begins. What metrics and data sets of unetdyn warn of meanwhile, such as labels
    that are not 0 and 1, is an event too, once a `fit`, whatever Python's filters do with the warning. `run.json` says
    which logged values are metrics of the model and what the monitors write, so that nobody must guess it from names,
    and from the first epoch on how the training was set up: optimizer, loss, batch size, norms and the like. Training
    is never changed; `logs` are only read.

    Put the recorder last in the list of callbacks: it sees the keys that those before it added.

    Keras calls no callback when training raises. `run.json` then keeps saying "running", unless you tell the recorder::

        try:
            model.fit(..., callbacks=[monitor, recorder])
        except BaseException as error:
            recorder.fail(error)
            raise

    A training in stages, each a `fit` of its own, is one run all the same: say `begin_stage` before each of them, and
    give each the `initial_epoch` at which the one before ended, which is `next_epoch`.

    Args:
        path: The run directory: new or empty, refused otherwise.
        config: Anything worth keeping that JSON can hold: what the run was made from.
        seed: The run's seed, kept beside it.
        save_best: A name in `logs`; `model.keras` is the model of the epoch in which it was best. `None`, or a name
            that never appears or has a value a class (said once): the model at the end of training. Default
            `"val_jaccard"`, what a user of a segmentation model selects by. `"auto"`: the first of the model's metrics
            that is logged of the validation, an overlap before others, and else `"val_loss"`; the attribute says which.
        mode: `"max"`, `"min"`, or `"auto"` (default): what Keras' metric object says; else what a monitor declares of
            its key; else what the name says, `"min"` for a loss or an error. Where nothing tells, as for a function of
            an unusual name, the highest is kept, and a warning says so.
        monitors: The monitors and controls of the same `fit` whose records are to be kept, such as `StabilityMonitor`,
            or one of your own: a subclass of `unetdyn.callbacks.Monitor`.

    Attributes:
        path: The run directory.
        writer: The `unetdyn.runs.RunWriter` behind it.
        best: (epoch, value) of the best epoch, or None.
        epochs: What it has written to `epochs.jsonl`, one dictionary an epoch.
        events: What it has written to `events.jsonl`, one dictionary an event, without the time.
        setup: What `run.json` says of the set-up; empty before the end of the first epoch.
        stages: What `run.json` says of the stages that have begun: `name`, first `epoch` (from 0), `setup`.

    Raises:
        FileExistsError: If `path` holds something.
        TypeError: If a monitor is no `unetdyn.callbacks.Monitor`.
        ValueError: If `mode` is unknown, two monitors have one name, or a second `fit` records an epoch again.

    Example:
        >>> import keras, numpy as np, tempfile, unetdyn.runs
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(loss="mse", optimizer="sgd")
        >>> x = np.ones((4, 1))
        >>> recorder = RunRecorder(tempfile.mkdtemp(), save_best="loss")
        >>> _ = model.fit(x, x, epochs=2, verbose=0, callbacks=[recorder])
        >>> run = unetdyn.runs.open(recorder.path)
        >>> run.status, run.summary["best_epoch"], run.model_path.name
        ('finished', 1, 'model.keras')
        >>> run.setup["optimizer"]["name"], run.setup["loss"]["name"], run.setup["parameters"]
        ('SGD', 'mean_squared_error', 2)
    """

    def __init__(
        self,
        path: str | Path,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        save_best: str | None = "val_jaccard",
        mode: str = "auto",
        monitors: Sequence[Recorded] = (),
    ) -> None:
        super().__init__()
        self._chosen = BestModel(save_best, mode)
        self.monitors = checked_monitors(monitors)
        self.mode = mode
        self.epochs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.setup: dict[str, Any] = {}
        self.stages: list[dict[str, Any]] = []
        self.writer = RunWriter(path, config, seed, keras.config.backend())
        self.path = self.writer.path
        declaring = [each for each in self.monitors if each.declaration is not UNDECLARED]
        self._declared = {each.name: each.declaration.named(each.name) for each in declaring}
        self.writer.declare(monitors={name: declared.as_json() for name, declared in self._declared.items()})
        self._metrics: dict[str, Direction | None] = {}
        self._declared_in_fit = False
        self._first_rate: float | None = None
        self._samples: float | None = None
        self._last_epoch = -1
        self._next_stage: str | None = None
        self._more_stages = False
        self._seconds = 0.0
        self._started = False
        self._written_findings = {id(monitor): 0 for monitor in self.monitors}

    @property
    def save_best(self) -> str | None:
        """What the best epoch is chosen by."""
        return self._chosen.name

    @property
    def best(self) -> tuple[int, float] | None:
        """(epoch, value) of the best epoch, or None."""
        return self._chosen.best

    @property
    def next_epoch(self) -> int:
        """The epoch at which a `fit` carries on, its `initial_epoch`; 0 before the first."""
        return self._last_epoch + 1

    def begin_stage(self, name: str, more: bool = False) -> None:
        """Say that the next `fit` is a stage of the training, which is to be told from the others.

        The stage's name, its first epoch and its own set-up go into `run.json`; its beginning is an event `stage`, its
        end an event `stage_end` where another follows. The best model is that of all stages, as long as what it is
        chosen by is comparable: a metric, not a loss that changes between them. A `fit` that is no stage counts to the
        one before, and ends the run. Epochs before the first stage are a stage `before`.

        Args:
            name: As it is shown in pictures and tables.
            more: Whether another stage follows. If so, the end of this one is not the end of the run, whose status
                stays "running". Default False.

        Raises:
            ValueError: If the name is empty, or that of an earlier stage.

        Example:
            >>> import numpy as np, tempfile, unetdyn.runs
            >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            >>> recorder = RunRecorder(tempfile.mkdtemp(), save_best="loss")
            >>> x = np.ones((4, 1))
            >>> for name, rate, more in (("coarse", 0.1, True), ("fine", 0.01, False)):
            ...     model.compile(keras.optimizers.SGD(rate), "mse")
            ...     recorder.begin_stage(name, more)
            ...     first = recorder.next_epoch
            ...     _ = model.fit(x, x, initial_epoch=first, epochs=first + 2, verbose=0, callbacks=[recorder])
            >>> run = unetdyn.runs.open(recorder.path)
            >>> [(stage["name"], stage["epoch"]) for stage in run.stages], run.history["epoch"].tolist()
            ([('coarse', 0), ('fine', 2)], [0.0, 1.0, 2.0, 3.0])
        """
        stages = self.stages
        if not stages and self.epochs:
            stages = [{"name": "before", "epoch": self.epochs[0]["epoch"], "setup": self.setup}]
        known = [stage["name"] for stage in stages]
        if not isinstance(name, str) or not name or name in known:
            raise ValueError(
                f"`name` must be a text that no earlier stage has; those are {known}. Received: name={name!r}."
            )
        self.stages, self._next_stage, self._more_stages = stages, name, more

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Wait for the first epoch, whose number says whether this `fit` carries on."""
        self._started = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        if not self._started:
            self._start(epoch)
        if self._first_rate is None:
            self._first_rate = learning_rate_of(self.model).get("learning_rate")
        self._samples = None
        self._epoch = epoch
        listen(self._hear, self.params)
        self._began = time.perf_counter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note how many samples the loss has counted, before validation makes it count its own."""
        if self._samples is None:
            self._samples = samples_counted(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch."""
        logs = {name: plain_value(value) for name, value in (logs or {}).items()}
        seconds = time.perf_counter() - self._began
        self._seconds += seconds
        rates = {} if "learning_rate" in logs else learning_rate_of(self.model)
        row = {**logs, **rates, "seconds": round(seconds, 3)}
        self.writer.log_epoch(epoch, row)
        self.epochs.append({"epoch": epoch, **row})
        self._last_epoch = epoch
        self._record_monitors()
        if not self._declared_in_fit:
            self._declare(logs)
        self._chosen.settle(logs, self._metrics)
        if self.save_best not in (None, "auto"):
            self._compare(epoch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save the model where no best epoch was, and close the record, unless another stage follows."""
        unlisten(self._hear)
        if self._more_stages:
            self._record_monitors()
            name = self.stages[-1]["name"]
            text = f"Stage {name!r} ended after epoch {self._last_epoch + 1}."
            self.event("stage_end", text, epoch=self._last_epoch, stage=name)
            return
        if self.best is None and self._last_epoch >= 0:
            self._save_model()
        self._record_monitors()
        self.event("train_end", f"Training ended after epoch {self._last_epoch + 1}.", epoch=self._last_epoch)
        self.writer.finish("finished", self._summary())

    def fail(self, error: BaseException) -> None:
        """Record that training stopped with an error: status "failed", or "interrupted" for Ctrl-C.

        The monitors' arrays then have the steps of the unfinished epoch too: those that led to the error.

        Args:
            error: What was raised; its type and text are kept, its traceback is not.
        """
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        text = f"{type(error).__name__}: {error}"
        self._read_unfinished_epoch()
        self.event(status, f"Training stopped after {self._last_epoch + 1} whole epochs. {text}")
        self.writer.finish(status, {**self._summary(), "error": text})
        unlisten(self._hear)

    def _start(self, epoch: int) -> None:
        if epoch <= self._last_epoch:
            raise ValueError(
                f"RunRecorder already recorded epochs up to {self._last_epoch} in {self.path}, and a run directory "
                f"holds one training. Received: a fit that begins at epoch {epoch}. Give it a new RunRecorder, or pass "
                f"initial_epoch={self._last_epoch + 1} to carry on."
            )
        if self.writer.status != "running":
            self.writer.resume()
        self._started, self._declared_in_fit = True, False
        self._heard: set[str] = set()
        self.event("train_begin", f"Training began at epoch {epoch + 1}.", epoch=epoch, **(self.params or {}))
        if self._next_stage is None:
            self._more_stages = False
        else:
            self._start_stage(self._next_stage, epoch)

    def _start_stage(self, name: str, epoch: int) -> None:
        self._next_stage, self._first_rate = None, None
        self.stages.append({"name": name, "epoch": epoch, "setup": {}})
        self.writer.declare(stages=self.stages)
        self.event("stage", f"Stage {name!r} began at epoch {epoch + 1}.", epoch=epoch, stage=name)

    def _hear(self, code: str, message: str) -> None:
        """A warning of a metric or a data set, once a `fit`."""
        if code in self._heard:
            return
        self._heard.add(code)
        with contextlib.suppress(OSError):  # who warns is no writer of runs: what is wrong with the disk shows up here
            self.event("warning", message, epoch=self._epoch, code=code, level="watch")

    def _read_unfinished_epoch(self) -> None:
        """The cause of an error can be that nothing can be read from the device any more: then that is told."""
        try:
            for monitor in self.monitors:
                monitor.read()
            self._record_monitors()
            if self._started and not self._declared_in_fit:
                self._note_setup()
        except Exception as error:  # whatever the backend raises; the training's own error is the one to report
            self._write_finding("warning", messages.epoch_unread(error))

    def _record_monitors(self) -> None:
        for monitor in self.monitors:
            self.writer.save_arrays(monitor.name, **monitor.record)
            for epoch, found in monitor.findings[self._written_findings[id(monitor)] :]:
                self._write_finding("monitor", found, monitor=monitor.name, epoch=epoch)
            self._written_findings[id(monitor)] = len(monitor.findings)

    def _declare(self, logs: Mapping[str, Any]) -> None:
        """Once a `fit`, at the end of its first epoch: before, Keras has not made the metrics."""
        found = metric_directions(self.model)
        self._metrics = {name: way for name, way in found.items() if {name, f"val_{name}"} & logs.keys()}
        self._declared_in_fit = True
        self._note_setup()

    def _note_setup(self) -> None:
        self.setup = self._read_setup()
        if self.stages and not self.stages[-1]["setup"]:  # a `fit` that is no stage may come after it
            self.stages[-1]["setup"] = self.setup
        self.writer.declare(metrics=self._metrics, setup=self.setup, stages=self.stages)

    @property
    def log_keys(self) -> LogKeys:
        """Which logged values are metrics, and what the monitors declare of theirs."""
        return LogKeys(self._metrics, self._declared)

    def _read_setup(self) -> dict[str, Any]:
        params = self.params or {}
        samples = samples_counted(self.model) if self._samples is None else self._samples
        # `samples` is what there is of the batch size without a monitor; what counts batches belongs here.
        batch_size = batch_size_of(self.model, self.monitors, samples, params.get("steps"))
        return setup(self.model, params, self._first_rate, batch_size)

    def _compare(self, epoch: int, logs: Mapping[str, Any]) -> None:
        chosen = self._chosen
        if (concern := chosen.concern(epoch, logs, self.log_keys)) is not None:
            self._warn(epoch, concern, stacklevel=2)
        if (value := chosen.value(logs)) is None:
            return
        self._declare_direction(str(chosen.name), chosen.direction)
        if chosen.is_better(value):
            self._save_model()
            chosen.best = (epoch, value)
            text = f"Epoch {epoch + 1} is the best so far: {chosen.name} {value:.4g}."
            self.event("best", text, epoch=epoch, value=value)

    def _declare_direction(self, name: str, direction: Direction | None) -> None:
        """What the best epoch was chosen by holds for whoever reads the run."""
        base = name.removeprefix("val_")
        if self._metrics.get(base, direction) != direction:
            self._metrics[base] = direction
            self.writer.declare(metrics=self._metrics)

    def _save_model(self) -> None:
        with replacing(self.path / "model.keras") as temporary:
            self.model.save(temporary)

    def _write_finding(self, kind: str, found: Finding, **details: Any) -> None:
        self.event(kind, found.sentence, **details, code=found.code, level=found.level)

    def _warn(self, epoch: int, found: Finding, stacklevel: int) -> None:
        """A finding of its own; `stacklevel` as if `warnings.warn` were called instead of this."""
        self._write_finding("warning", found, epoch=epoch)
        warnings.warn(found.sentence, UserWarning, stacklevel=stacklevel + 1)

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Write what happened, as `RunWriter.event` does, and keep it in `events`."""
        self.writer.event(kind, message, **data)
        self.events.append({"kind": kind, "message": message, **data})

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {"epochs": self._last_epoch + 1, "seconds": round(self._seconds, 3)}
        if getattr(self.model, "built", False):
            summary["parameters"] = self.model.count_params()
        if self.best is not None:
            summary |= {"best_epoch": self.best[0], f"best_{self.save_best}": self.best[1]}
        for monitor in self.monitors:
            if monitor.results:
                summary[monitor.name] = {name: asdict(result) for name, result in monitor.results.items()}
        return summary
