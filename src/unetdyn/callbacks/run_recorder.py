"""Write a run directory from a user's own `model.fit`."""

import copy
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from unetdyn._checks import check_choice
from unetdyn._warnings import listen, unlisten
from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.background import Background
from unetdyn.callbacks.best_model import MODES
from unetdyn.callbacks.epoch_count import EpochCount
from unetdyn.callbacks.logged_number import learning_rate_of, plain_value
from unetdyn.callbacks.monitor import Recorded, checked_monitors
from unetdyn.callbacks.monitor_records import MonitorRecords
from unetdyn.callbacks.patient_writer import PatientWriter
from unetdyn.callbacks.resumed_run import not_brought_back, not_resumed, resumable_run
from unetdyn.callbacks.run_description import RunDescription
from unetdyn.callbacks.run_ending import RunEnding
from unetdyn.callbacks.saved_model import SavedModel
from unetdyn.runs import RunWriter, strict_json
from unetdyn.runs.input_recipe import InputRecipe
from unetdyn.runs.state_store import STATE, StateStore
from unetdyn.runs.waiting import WaitingWriter, run_to_carry_on


class RunRecorder(keras.callbacks.Callback):
    """Records a training in a run directory that survives `kill -9`, to be opened with `unetdyn.runs.open`.

    After each epoch: the logs with the learning rate and the seconds it took go to `epochs.jsonl`, the monitors' arrays
    to `dynamics/`, their messages to `events.jsonl`, and the model, when it is the best so far, to `model.keras`. What
    metrics and data sets of unetdyn warn of meanwhile, such as labels that are not 0 and 1, is an event too, once a
    `fit`, whatever Python's filters do with the warning. `run.json` says which logged values are metrics of the model
    and what the monitors write, so that nobody must guess it from names, and from the first epoch on how the training
    was set up: optimizer, loss, batch size, norms and the like. Training is never changed; `logs` are only read.

    All of that is on the disk before the next epoch begins, but for the model: it is copied to the host, and written
    while the next epoch runs, whose end waits for the file: one copy at a time, and a record that does not depend on
    how fast a disk is. `best` and its event come when the file is there, at the end of that epoch. A kill before that
    leaves the file and the event of the epoch that was the best before, or the new file with the event still to come,
    and never an event without its file. The end of a training, an error and that of the process wait for it, and a
    signal for 5 s.

    `model.keras` opens with `keras.saving.load_model`, evaluates with its loss and metrics, and has the optimizer as
    `compile` makes it, with the learning rate of that epoch and no moments: a third of the size with Adam. To go on
    from the very state pass `save_optimizer=True`.

    Put the recorder last in the list of callbacks: it sees the keys that those before it added.

    What can't be recorded ends no training: on a full disk a warning tells why, once, and what is missing is written as
    soon as that is possible again. A signal that ends the process, such as the SIGTERM of a scheduler, is noted:
    `run.json` says "interrupted" and names it, and then the signal does what it did before, your own handlers included.
    Keras calls no callback when training raises: an error that ends the process is noted as well; where it does not, as
    in a notebook, tell the recorder::

        try:
            model.fit(..., callbacks=[monitor, recorder])
        except BaseException as error:
            recorder.fail(error)
            raise

    Several calls of `fit` that go on with one model are one run, whether they pass `initial_epoch` or count from 0
    again. For a training in stages say `begin_stage` before each of them, and give each the `initial_epoch` at which
    the one before ended, which is `next_epoch`.

    With `ResumableRun` of the same path among the callbacks, a training that was killed is carried on when the same
    script starts again: the recorder then waits for the state, and the record goes on where that was taken, as if
    nothing had been. `resumed` in `run.json` says when that was, and what had ended the training.

    A copy, as tuners make them, is a new recorder, and claims a directory of its own beside this one, `NAME-2`,
    `NAME-3` and so on. With `keras.callbacks.SwapEMAWeights`, `model.keras` has the averages, which were validated.

    Args:
        path: The run directory: new, empty, or one that `ResumableRun` carries on; refused otherwise.
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
        extend: Whether a training that has finished may be carried on too, with a `fit` of more epochs. Default False,
            so that a script that is started once more by mistake changes nothing.
        save_optimizer: Whether `model.keras` has the state of the optimizer: its moments and its counter. Default
            False: few go on from the best epoch, and it is two thirds of the file. A layer that writes files of its
            own, such as `TextVectorization`, has Keras save the model in line with training, with that state.
        input_recipe: How you made the images ready, such as `unetdyn.inference.InputRecipe("per_image")`. It is kept in
            `model.keras`, where `unetdyn.inference.predict_tiled` finds it. Default None: nothing is said.

    Attributes:
        path: The run directory.
        writer: The `unetdyn.runs.RunWriter` behind it.
        background: What writes the model; `background.wait()` for its file.
        best: (epoch, value) of the best epoch, or None.
        epochs: What it has written to `epochs.jsonl`, one dictionary an epoch.
        events: What it has written to `events.jsonl`, one dictionary an event, without the time.
        setup: What `run.json` says of the set-up; empty before the end of the first epoch.
        stages: What `run.json` says of the stages that have begun: `name`, first `epoch` (from 0), `setup`.

    Raises:
        FileExistsError: If `path` holds something else than a run to carry on; from `fit`, if nothing carries on with
            that run, or another process has it.
        RunError: A ValueError: if that run is damaged.
        TypeError: If a monitor is no `unetdyn.callbacks.Monitor`, or `input_recipe` no `InputRecipe`.
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
        extend: bool = False,
        save_optimizer: bool = False,
        input_recipe: InputRecipe | None = None,
    ) -> None:
        super().__init__()
        check_choice("mode", mode, MODES)
        if not isinstance(input_recipe, InputRecipe | None):
            raise TypeError(
                "`input_recipe` must be an `unetdyn.inference.InputRecipe`, or None. "
                f"Received: input_recipe={input_recipe!r}."
            )
        self._input_recipe = input_recipe
        self._save_best, self.mode, self._save_optimizer = save_best, mode, save_optimizer
        self.monitors = checked_monitors(monitors)
        given = (config, seed, keras.config.backend())
        run = run_to_carry_on(path, extend)
        self.writer = RunWriter(path, *given) if run is None else WaitingWriter(run, *given)
        self._begin()

    def _begin(self) -> None:
        """Nothing is recorded yet."""
        self._written = PatientWriter(self.writer, self._input_recipe)
        self._described = RunDescription(self._written, self.monitors)
        self._records = MonitorRecords(self._written, self.monitors)
        self._saved = SavedModel(self._written, self._described, self._save_best, self.mode, self._save_optimizer)
        self._epoch_count = EpochCount()
        self._ending = RunEnding(self._written, self._described, self._records, self._saved, self._hear)
        self._heard: set[str] = set()
        self._epoch = 0
        self._began = time.perf_counter()
        self._started = False
        self._passed_over = 0
        self._brought_back = False

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy: a recorder of another training, with a directory of its own."""
        forgotten = ("_model", "params", "_written", "_described", "_records", "_saved", "_ending", "_epoch_count")
        return {**self.__dict__, "writer": copy.copy(self.writer), **dict.fromkeys(forgotten)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def path(self) -> Path:
        """The run directory; a copy claims its own when it is first asked."""
        return self.writer.path

    @property
    def background(self) -> Background:
        """Writes the model while the training goes on; after its `wait` the file is there."""
        return self._written.background

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """What there is for `epochs.jsonl`, one dictionary an epoch."""
        return self._written.epochs

    @property
    def events(self) -> list[dict[str, Any]]:
        """What there is for `events.jsonl`, one dictionary an event, without the time."""
        return self._written.events

    @property
    def setup(self) -> dict[str, Any]:
        """What `run.json` says of the set-up; empty before the end of the first epoch."""
        return self._described.setup

    @property
    def stages(self) -> list[dict[str, Any]]:
        """What `run.json` says of the stages that have begun: `name`, first `epoch` (from 0), `setup`."""
        return self._described.stages

    @property
    def log_keys(self) -> LogKeys:
        """Which logged values are metrics, and what the monitors declare of theirs."""
        return self._described.log_keys

    @property
    def save_best(self) -> str | None:
        """What the best epoch is chosen by."""
        return self._saved.choice.name

    @property
    def best(self) -> tuple[int, float] | None:
        """(epoch, value) of the best epoch, or None."""
        return self._saved.choice.best

    @property
    def next_epoch(self) -> int:
        """The epoch at which a `fit` carries on, its `initial_epoch`; 0 before the first."""
        if isinstance(self.writer, WaitingWriter):
            return self.writer.first_epoch(self._passed_over)
        return self._ending.last_epoch + 1

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
        self._described.announce_stage(name, more)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Wait for the first epoch, whose number says whether this `fit` carries on."""
        resumable = resumable_run(self.path)
        if self._waits and resumable is None:
            raise not_resumed(self.path)
        if resumable is not None and not self._waits:
            with self._written.aside("the folder of states"):
                (self.path / STATE).mkdir(exist_ok=True)  # by which a run is known that was killed before the first
        self._started = self._brought_back = False
        self._saved.weights.begin_fit(self.model)
        self._ending.begin_fit(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        if self._waits:
            self._begin_again()
        begun = self._epoch_count.begin(epoch, self._model, self.params)
        self._epoch = self._epoch_count.epoch
        if not self._started:
            self._start(begun)
        with self._written.aside("the learning rate"):
            self._described.begin_epoch(self.model)
        listen(self._hear, self.params)
        self._began = time.perf_counter()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note what validation makes its own: the number of samples, and the weights it sees."""
        with self._written.aside("the number of samples"):
            self._described.begin_test(self.model)
        self._saved.weights.begin_test()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note whether those were other weights."""
        self._saved.weights.end_test()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Record the epoch."""
        logs = self._plain(logs or {})
        seconds = time.perf_counter() - self._began
        rates: dict[str, float] = {}
        with self._written.aside("the learning rate"):
            rates = {} if "learning_rate" in logs else learning_rate_of(self.model)
        self._ending.count(self._epoch, seconds)
        self._written.log_epoch(self._epoch, {**logs, **rates, "seconds": round(seconds, 3)})
        self._records.write()
        with self._written.aside("the set-up"):
            self._described.end_epoch(self.model, self._fit_params(), logs)
        with self._written.aside("the best epoch"):
            self._saved.compare(self._epoch, logs, self.model, stacklevel=3)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save the model where no best epoch was, and close the record, unless another stage follows."""
        unlisten(self._hear)
        if self._waits:  # a `fit` that had ended before the training was killed
            self._passed_over += 1
            self._ending.refuse()
            return
        self.background.wait()
        self._records.write()
        if self._described.more:
            name = self.stages[-1]["name"]
            text = f"Stage {name!r} ended after epoch {self._ending.last_epoch + 1}."
            self.event("stage_end", text, epoch=self._ending.last_epoch, stage=name)
            return
        if self.best is None and self._ending.last_epoch >= 0:
            self._saved.save(self.model)
            self.background.wait()
        self._ending.end()

    def get_state(self) -> dict[str, Any]:
        """What another process needs to carry on with the record: see `set_state`.

        What it holds is small: the record itself is on the disk, and the state says how much of it there was.
        """
        with self._written.aside("what was left to write"):
            self.writer.flush()
        return {
            "epoch": self._epoch,
            "started": self._started,
            "elapsed": time.perf_counter() - self._began,
            "heard": sorted(self._heard),
            "lines": {"epochs": len(self.epochs), "events": len(self.events)},
            "declared": self.writer.declared,
            "epoch_count": self._epoch_count.get_state(),
            "described": self._described.get_state(),
            "records": self._records.get_state(),
            "saved": self._saved.get_state(),
            "ending": self._ending.get_state(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Carry on with the record of a training that was killed, from the moment of the state on.

        The run directory becomes this process's, and what was recorded after that moment is cut off.

        Args:
            state: From `get_state`.

        Raises:
            FileExistsError: If another process has the run.
            RunError: If the run is damaged, or holds less than the state says.
        """
        self.background.wait()  # in a process that goes on: what it has to tell is cut off below
        if self._waits:
            self.writer = RunWriter.reopen(self.path)
        self._epoch, self._started, self._heard = state["epoch"], state["started"], set(state["heard"])
        self._began = time.perf_counter() - state["elapsed"]
        self._epoch_count.set_state(state["epoch_count"], self._model, self.params)
        self._described.set_state(state["described"])
        self._records.set_state(state["records"])
        self._ending.set_state(state["ending"])
        self._ending.params = self._fit_params()
        within = self._epoch > self._ending.last_epoch
        step = getattr(resumable_run(self.path), "resumed_from", None) or (0, 0)
        kept = self.writer.cut_back(
            **state["lines"],
            epoch=self._epoch if within else self.next_epoch,
            step=step[1] if within else 0,
            declared=state["declared"],
            again=self._brought_back,
        )
        self.writer.cut_back_arrays(self._records.rows)
        self._brought_back = True
        self._written.carry_on(self.writer, *kept)
        self._saved.set_state(state["saved"])  # which may have something to tell, in what is kept

    def conclude(self, **summary: Any) -> None:
        """Add numbers to the summary of a training that has ended, such as those on a test set.

        Args:
            **summary: By name.
        """
        self._written.finish(self.writer.status if self._written.ended else "finished", summary)

    def fail(self, error: BaseException) -> None:
        """Record that training stopped with an error: status "failed", or "interrupted" for Ctrl-C.

        The monitors' arrays then have the steps of the unfinished epoch too: those that led to the error. Where a
        signal came before, that is what ended the training, and stays.

        Args:
            error: What was raised; its type and text are kept, its traceback is not.
        """
        self._ending.fail(error)

    def refuse_another(self, epoch: int, reason: str = "") -> None:
        """Refuse a `fit` whose epochs are recorded already.

        Args:
            epoch: The first, from 0.
            reason: By what it is another training, as the end of a sentence.

        Raises:
            ValueError: If it does not go on with what is recorded.
        """
        last = self._ending.last_epoch
        if epoch <= last:
            self._ending.refuse()
            raise ValueError(
                f"RunRecorder already recorded epochs up to {last} in {self.path}, and a run directory holds one "
                f"training. Received: a fit that begins at epoch {epoch}{reason and f': {reason}'}. Give it a new "
                f"RunRecorder, or pass initial_epoch={last + 1} to carry on."
            )

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Write what happened, as `RunWriter.event` does, and keep it in `events`."""
        self._written.event(kind, message, **data)

    @property
    def _waits(self) -> bool:
        """Whether there is a run to carry on, with which nothing was done yet."""
        return isinstance(self.writer, WaitingWriter)

    def _begin_again(self) -> None:
        """A run that was killed before it had a state."""
        if StateStore(self.path / STATE).exists():
            raise not_brought_back(self.path)
        self.writer = RunWriter.reopen(self.path)
        nothing: dict[str, Any] = {"metrics": {}, "monitors": {}, "setup": {}, "stages": []}
        self._written.carry_on(self.writer, *self.writer.cut_back(0, 0, epoch=0, declared=nothing))
        warnings.warn(messages.begins_again(self.path).sentence, UserWarning, stacklevel=3)

    def _start(self, begun: str) -> None:
        epoch = self._epoch
        self.refuse_another(epoch, self._epoch_count.reason)
        self._written.resume()
        self._started = True
        self._heard = set()
        if not self.epochs:
            self._described.declare_monitors()
        self._ending.params = params = self._fit_params()
        word = "went on" if begun == "on" else "began"
        self.event("train_begin", f"Training {word} at epoch {epoch + 1}.", epoch=epoch, **params)
        self._described.begin_fit(epoch)

    def _fit_params(self) -> dict[str, Any]:
        """Of the `fit`, with the epochs of the whole training as far as it is planned."""
        params = dict(self.params or {})
        return params | {"epochs": self._epoch_count.planned(params)} if "epochs" in params else params

    def _plain(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        """What can be written of the logs."""
        found = {}
        for name, value in logs.items():
            with self._written.aside(f"{name!r} of the logs"):
                plain = plain_value(value)
                strict_json.dumps(plain)
                found[name] = plain
        return found

    def _hear(self, code: str, message: str) -> None:
        """A warning of a metric or a data set, once a `fit`."""
        if code in self._heard:
            return
        self._heard.add(code)
        self.event("warning", message, epoch=self._epoch, code=code, level="watch")
