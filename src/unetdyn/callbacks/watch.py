"""Everything that watches a training, adopted in one line."""

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

# The public keras.utils does not export them; `is_default` is how Keras itself tells that a hook does nothing.
from keras.src.utils import io_utils
from keras.src.utils.python_utils import is_default

from unetdyn import runs
from unetdyn._checks import check_choice, check_count
from unetdyn._warnings import warn
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.stability_classes import WINDOW
from unetdyn.callbacks.background import Background
from unetdyn.callbacks.epoch_count import EpochCount
from unetdyn.callbacks.gradient import GradientMonitor
from unetdyn.callbacks.keras_states import bring_back, state_of
from unetdyn.callbacks.live_dashboard import LiveDashboard
from unetdyn.callbacks.live_findings import LiveFindings, check_codes, is_among
from unetdyn.callbacks.monitor import Monitor, Recorded
from unetdyn.callbacks.prediction_recorder import PredictionRecorder
from unetdyn.callbacks.run_recorder import RunRecorder
from unetdyn.callbacks.watched_monitors import named_monitors

if TYPE_CHECKING:
    from unetdyn.analysis.diagnosis import Diagnosis

_BATCH_HOOKS = {
    ("on_train_batch_begin", "on_train_batch_end"): ("on_batch_begin", "on_batch_end"),
    ("on_test_batch_begin", "on_test_batch_end"): (),
    ("on_predict_batch_begin", "on_predict_batch_end"): (),
}
"""Keras' hooks, and others that they call."""


class Watch(keras.callbacks.Callback):
    """Watches a training with all that there is: monitors, run directory, picture or lines, and the rules of diagnosis.

    It holds a `RunRecorder`, a `LiveDashboard` and one of each monitor of `unetdyn.callbacks`, and hands on to them
    what Keras tells, monitors first and the recorder last. After every `every` epochs the rules of
    `unetdyn.analysis.diagnosis` are applied to what was recorded so far: what is to be watched, or ill, is printed once
    when it begins to hold and once when it is over, and both are events of the run. Training is never changed, unless
    `stop_on` says so.

    Put it last in the list of callbacks, so that it sees what those before it write into `logs`, and pass `verbose=0`
    to `fit`, whose progress bar would fill the same place.

    Each monitor has a keyword, its name: None leaves it out, a monitor of that kind takes the place of the one made by
    default. `Watch(path, gradient=None, stability=StabilityMonitor(window=5))`.

    Keras calls no callback when training raises. Where that does not end the process, as in a notebook, tell::

        try:
            model.fit(..., callbacks=[watch])
        except BaseException as error:
            watch.fail(error)
            raise

    A `fit` that goes on with the same model carries on, whether it passes `initial_epoch` or counts from 0 again. What
    the watch itself can't do, such as write on a full disk, ends no training; a copy of it, as tuners make them, has a
    run directory of its own. See `RunRecorder` for both, and for signals that end the process.

    Args:
        path: The run directory: new, empty, or one that `ResumableRun` carries on; refused otherwise.
        probe: A pair of arrays, images and masks, that stay the same: for the monitors that look at a few images
            between epochs. None (default): what they take by default.
        monitors: Further monitors and controls of the same `fit` whose records are to be kept, such as your own. One
            that is in the list of callbacks too is left to Keras.
        save_best: As for `RunRecorder`; default `"auto"`.
        mode: As for `RunRecorder`.
        config: As for `RunRecorder`.
        seed: As for `RunRecorder`.
        metric: The metric to show and to judge by, without `val_`; None (default) takes `jaccard` where it is logged,
            else the first metric.
        window: Over how many epochs stability and the end are judged, ≥ 2; 10 is what the studies used.
        every: After how many epochs the rules are applied, ≥ 1; None never.
        stop_on: Codes of findings, or parts of some such as `"nonfinite"`, at which training stops after the epoch.
            A cause of low confidence stops nothing. Default none.
        display: `"notebook"`, a picture under the cell; `"terminal"`, a line an epoch; `"auto"` (default), by where
            Python runs; `"off"`.
        verbose: 1 (default) prints findings as they begin and end; 0 is silent, and they are events all the same.
        extend: As for `RunRecorder`.
        **named: A monitor's name, and a monitor of that kind or None.

    Attributes:
        monitors: The monitors and controls by name.
        recorder: The `RunRecorder`.
        dashboard: The `LiveDashboard`, or None.
        stopped_on: The findings at which it stopped the training; empty where it did not.

    Raises:
        FileExistsError: If `path` holds something.
        TypeError: If a keyword is no monitor's name, or what it is given is no such monitor.
        ValueError: If another argument is out of its range, or a code is unknown.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> x = np.random.default_rng(0).random((8, 4, 4, 1))
        >>> y = (x > 0.5).astype("float32")
        >>> watch = Watch(tempfile.mkdtemp(), gradient=None, display="off", verbose=0)
        >>> _ = model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[watch])
        >>> watch.run.status, "update" in watch.monitors, "gradient" in watch.monitors
        ('finished', True, False)
    """

    def __init__(
        self,
        path: str | Path,
        probe: Any = None,
        *,
        monitors: Iterable[Recorded] = (),
        save_best: str | None = "auto",
        mode: str = "auto",
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        metric: str | None = None,
        window: int = WINDOW,
        every: int | None = 1,
        stop_on: Iterable[str] = (),
        display: str = "auto",
        verbose: int = 1,
        extend: bool = False,
        **named: Monitor | None,
    ) -> None:
        super().__init__()
        if every is not None:
            check_count("every", every, 1, otherwise="or None for never")
        elif stop_on:
            raise ValueError(f"`every` must be a number where `stop_on` is given. Received: every=None, {stop_on=}.")
        check_choice("display", display, ["auto", "notebook", "terminal", "off"])
        self.every = every
        self.stop_on = check_codes("stop_on", stop_on) if stop_on else ()
        self.verbose = verbose
        keywords = [name for name in inspect.signature(Watch).parameters if name != "named"]
        made = [*named_monitors(probe, named, keywords), *monitors]
        gradient = next((each for each in made if isinstance(each, GradientMonitor)), None)
        predictions = next((each for each in made if isinstance(each, PredictionRecorder)), None)
        shown = {"where": display, "predictions": predictions}
        self.dashboard = None if display == "off" else LiveDashboard(gradient, metric, window, **shown)  # type: ignore[arg-type]
        # The last to be made: what else is wrong leaves no directory behind.
        self.recorder = RunRecorder(path, config, seed, save_best, mode, made, extend=extend)
        self.monitors = {monitor.name: monitor for monitor in made}
        self.stopped_on: tuple[Finding, ...] = ()
        self._live = LiveFindings(self.recorder, metric, window)
        self._members: list[keras.callbacks.Callback] = []
        self._failed = False
        self._epoch_count = EpochCount()
        self._forward_batches(made)

    def __copy__(self) -> "Watch":
        """A copy watches another training: a shallow one would share all monitors."""
        return copy.deepcopy(self)

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.recorder.path

    @property
    def background(self) -> Background:
        """Writes the model while the training goes on, as that of its `RunRecorder`."""
        return self.recorder.background

    @property
    def run(self) -> runs.Run:
        """The run, as it is on the disk now."""
        return runs.open(self.path)

    @property
    def findings(self) -> tuple[tuple[int, Finding], ...]:
        """What holds now of what is to be watched, or ill: the epoch since when, from 0, and the finding."""
        return tuple(self._live.holding.values())

    @property
    def diagnosis(self) -> "Diagnosis | None":
        """What the rules say of the training as it stands now, an `unetdyn.analysis.diagnosis.Diagnosis`.

        None before the end of the first epoch.
        """
        return self._live.diagnosis() if self.recorder.epochs else None

    def fail(self, error: BaseException) -> None:
        """Record that training stopped with an error, as `RunRecorder.fail` does.

        Args:
            error: What was raised.
        """
        self.recorder.fail(error)

    def get_state(self) -> dict[str, Any]:
        """What a resumed training needs of it, and of those that Keras does not call by itself."""
        return {
            "epoch_count": self._epoch_count.get_state(),
            "holding": self._live.get_state(),
            "stopped_on": [finding.get_state() for finding in self.stopped_on],
            "failed": self._failed,
            "members": {name: state_of(member) for name, member in self._named_members()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, after `on_train_begin`.

        Args:
            state: From `get_state` of a watch with equal arguments.
        """
        self._epoch_count.set_state(state["epoch_count"], self._model, self.params)
        self._live.set_state(state["holding"])
        self.stopped_on = tuple(Finding(**finding) for finding in state["stopped_on"])
        self._failed = state["failed"]
        for name, member in self._named_members():
            if (of_member := state["members"].get(name)) is not None:
                bring_back(member, of_member)

    def _named_members(self) -> Iterator[tuple[str, keras.callbacks.Callback]]:
        """Those it calls, and outside of a training all that it has."""
        for kind, member in [*self.monitors.items(), ("/dashboard", self.dashboard), ("/recorder", self.recorder)]:
            if member is not None and (not self._members or any(each is member for each in self._members)):
                yield kind, member

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin with those that Keras does not call by itself."""
        everyone = [*self.monitors.values(), self.dashboard, self.recorder]
        # All callbacks of one `fit` are given the same parameters: who has them is in its list.
        self._members = [each for each in everyone if each and (self.params is None or each.params is not self.params)]
        for member in self._members:
            member.set_params(self.params)
            member.set_model(self._model)
        self.stopped_on = ()
        self._forward("on_train_begin", logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the record."""
        self._forward("on_train_end", logs)
        for member in self._members:
            member.set_params(None)  # a training by hand may come with the same ones
        self._members = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start anew with a new training."""
        if self._epoch_count.begin(epoch, self._model, self.params) == "anew":
            self.recorder.refuse_another(epoch, self._epoch_count.reason)  # before its monitors forget what they have
            self._live.restart()
        self._forward("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let all measure, show and record, and look at what there is so far."""
        self._forward("on_epoch_end", epoch, {} if logs is None else logs)
        epoch = self._epoch_count.epoch
        if self.every is not None and (epoch + 1) % self.every == 0:
            self._look(epoch)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on that an evaluation begins."""
        self._forward("on_test_begin", logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on that it ended."""
        self._forward("on_test_end", logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on that a prediction begins."""
        self._forward("on_predict_begin", logs)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on that it ended."""
        self._forward("on_predict_end", logs)

    def _forward(self, hook: str, *arguments: Any, **named: Any) -> None:
        for member in self._members:
            getattr(member, hook)(*arguments, **named)

    def _forward_batches(self, members: Iterable[keras.callbacks.Callback]) -> None:
        """Only where a member listens to batches: else Keras need not wait for each step."""
        for hooks, called in _BATCH_HOOKS.items():
            if not all(is_default(getattr(member, hook)) for member in members for hook in (*hooks, *called)):
                for hook in hooks:
                    setattr(self, hook, partial(self._forward, hook))

    def _look(self, epoch: int) -> None:
        try:
            begun, over = self._live.look(epoch)
        except Exception as error:  # a rule that fails must not end the training it looks at
            text = f"Watch: what was found up to epoch {epoch + 1} is not known. {type(error).__name__}: {error}"
            warn("watch.failed", text, stacklevel=2, again=self._failed)
            self._failed = True
            return
        for found in over:
            text = f"{found.code}: over since epoch {epoch + 1}."
            self._say(epoch, text, code=found.code, level="good", over=True)
        for found in begun:
            self._say(epoch, found.sentence, f"{found.word}, {found.code}: ", code=found.code, level=found.level)
        self._stop(epoch)

    def _stop(self, epoch: int) -> None:
        found = tuple(finding for _, finding in self.findings if is_among(finding, self.stop_on))
        if found:
            self.stopped_on = found
            self.model.stop_training = True
            codes = ", ".join(dict.fromkeys(finding.code for finding in found))
            text = f"Watch stops the training, as stop_on={self.stop_on} says, at {codes}: {found[0].seen}"
            self._say(epoch, text, kind="stopped", code=found[0].code, level=found[0].level)

    def _say(self, epoch: int, text: str, beginning: str = "", kind: str = "finding", **details: Any) -> None:
        self.recorder.event(kind, text, epoch=epoch, **details)
        if self.verbose:
            io_utils.print_msg(f"\nEpoch {epoch + 1}: {beginning}{text}")
