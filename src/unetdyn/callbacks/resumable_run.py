"""A training that survives being killed: started again in the same way, it is the same training."""

import sys
import time
import warnings
import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.utils import io_utils

from unetdyn._checks import check_range
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import resume as messages
from unetdyn.callbacks import endings
from unetdyn.callbacks.aside import Aside
from unetdyn.callbacks.background import Background
from unetdyn.callbacks.before_validation import BeforeValidation
from unetdyn.callbacks.captured import Moment, State, captured, data_state, misfit
from unetdyn.callbacks.fingerprint import data_fingerprint, difference, fingerprint
from unetdyn.callbacks.fit_call import callback_list, data_adapter, last_step
from unetdyn.callbacks.last_word import LastWord
from unetdyn.callbacks.lost_state import LostState
from unetdyn.callbacks.random_state import random_state
from unetdyn.callbacks.resumption import Resumption
from unetdyn.callbacks.walltime import Deadline
from unetdyn.dynamics.optimizers import build_optimizer
from unetdyn.dynamics.sessions import runs
from unetdyn.runs.claim import FILE as RUN
from unetdyn.runs.state_claim import StateClaim
from unetdyn.runs.state_store import StateStore
from unetdyn.runs.walltime import seconds_of

FOR_EVER = 10.0**6  # seconds
TWICE = 2.0
"""Seconds in which a second SIGTERM is the first: a scheduler sends it to every process of a job, and a process that
has started others passes it on to them."""
NO_EPOCH = sys.maxsize  # behind the last one, whatever `epochs` is
EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: try again


class WalltimeReached(SystemExit):
    """Ends a process in time, with the exit code 75: "try again"."""

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


class ResumableRun(keras.callbacks.Callback):
    """Keeps the whole state of a training in `PATH/state`, and carries on from it when the same script starts again.

    The state is all that the training goes on from: weights, moving statistics, random generators of layers; the
    optimizer with every slot, loss scale and average; sums of metrics; what callbacks know, those of unetdyn and of
    Keras, and others that have `get_state` and `set_state`; the global random numbers of Python, NumPy, Keras and
    PyTorch; the place in the data. The training that carries on is the one that was cut off: equal to the last bit on
    a CPU; on a GPU as equal as two equal trainings are there.

    It is saved at the end of each epoch, by a thread, while the next one runs; an end that comes while the one before
    is still being written is left out, but for the last. And within a step where a signal asks the process to end
    (SIGTERM, SIGHUP, SIGINT, SIGUSR1 and SIGUSR2, SIGXCPU), or the walltime is nearly over: then the signal does what
    it did before. During a validation, which is then begun anew, that is after a batch; where validations take less
    than 10 seconds, at its end. A second signal ends the process at once, but for a SIGTERM
    within two seconds of the first: schedulers signal all processes of a job, and these each other. Two generations are
    kept, so that there is always a whole one.

    Give it to `fit` as any callback, wherever in the list; beside a `RunRecorder` both have one path::

        recorder = RunRecorder("runs/first", monitors=[...])
        model.fit(..., callbacks=[..., recorder, ResumableRun("runs/first")])

    Started again, this goes on where it was; with another model, optimizer, loss or other data it is refused. A
    script that calls `fit` several times passes the same object to all: those that had ended are passed over, and the
    model is as it was made until the one comes that had not. So what the script writes after each of them, such as a
    file of the model, is to be written where that is not there yet; trainings that don't go on from each other, such
    as folds, need an object and a path each.

    What can't be put back: the order of data that draws it by itself, such as arrays that Keras shuffles on TensorFlow,
    `tf.data` and generators (said once when it carries on; `unetdyn.data.TileDataset` with `shuffle=False` has no such
    order); what other callbacks keep without `get_state`; TensorFlow's own random operations. Under a distribution
    strategy with several replicas only the first one's state is kept.

    Args:
        path: The run directory, or any folder for what is kept of this training.
        walltime: How long the process may run, from its beginning: seconds, or a text such as `"3:50:00"`. Before that
            it saves its state and raises `WalltimeReached`, which ends the process with the exit code 75. Default
            `None`: for ever.
        margin: Seconds that must be left of the walltime for that, beside the longest step, or the longest end of an
            epoch, so far. Default 60: a state of a few gigabytes is written in less.
        verbose: 1 (default) prints one line when it carries on or stops; 0 is silent.

    Attributes:
        resumed_from: (epoch, step), both from 0, or None.
        stopped_by: `"SIGTERM"`, `"walltime"` and the like, or None.
        fits: How many calls of `fit` have begun; set it beforehand where earlier ones are left out.

    Raises:
        ValueError: If `walltime` or `margin` can't be; from `fit`, if the state is that of another training, or the
            model isn't built, or the data end before the step of the state.
        FileExistsError: From `fit`, if another process trains on from this state.
        unetdyn.runs.RunError: From `fit`, if no generation of the state is whole.

    Example:
        >>> import numpy as np, tempfile
        >>> folder, x = tempfile.mkdtemp(), np.ones((4, 1))
        >>> def start(epochs):
        ...     keras.utils.set_random_seed(0)
        ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        ...     model.compile("adam", "mse")
        ...     run = ResumableRun(folder, verbose=0)
        ...     history = model.fit(x, x, shuffle=False, epochs=epochs, verbose=0, callbacks=[run])
        ...     return run.resumed_from, len(history.history["loss"])
        >>> start(epochs=2), start(epochs=3)
        ((None, 2), ((2, 0), 3))
    """

    def __init__(
        self, path: str | Path, walltime: float | str | None = None, margin: float = 60.0, verbose: int = 1
    ) -> None:
        super().__init__()
        check_range("margin", margin, 0, 86400)
        self.path = Path(path)
        self.verbose = verbose
        self.resumed_from: tuple[int, int] | None = None
        self.stopped_by: str | None = None
        self.fits = 0
        self._deadline: Deadline | None = None
        if walltime is not None:
            if (seconds := seconds_of(walltime)) <= margin:
                raise ValueError(
                    f"`walltime` must be longer than `margin`, or nothing is ever trained. Received: {seconds:g} and "
                    f"{margin:g} seconds."
                )
            self._deadline = Deadline(seconds, margin)
        self._store = StateStore(self.path / "state")
        self._claim = StateClaim(self.path / "state")
        self._aside = Aside(self._tell)
        self._background = Background(self._tell_later)
        self._live = False  # whether the state on the disk is of this process
        self._training = False  # whether a `fit` has begun, and not ended
        self._is_copy = False
        self._last: LastWord | None = None
        self._resumption: Resumption | None = None
        self._optimizer: weakref.ref[Any] | None = None
        self._epoch = 0
        self._epoch_random: dict[str, Any] = {}
        self._epoch_data: dict[str, Any] | None = None
        self._asked: str | None = None
        self._asked_at = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, as tuners make them: it is of another training, of which nothing is kept."""
        forgotten = ("_model", "params", "_last", "_resumption", "_optimizer", "_callbacks", "_adapter", "_lost")
        return {**self.__dict__, **dict.fromkeys(forgotten), "_is_copy": True}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Have the last word in each hook, and see what the training draws from."""
        found = callback_list()
        if found is None:  # a hook called by hand
            return
        if self._is_copy:
            self._warn(messages.is_copy(self.path))
            return
        self._callbacks, self._adapter = found, data_adapter(found)
        self._last = next((each for each in found.callbacks if isinstance(each, LastWord) and each.run is self), None)
        if self._last is None:
            self._last = LastWord(self)
            found.callbacks.append(self._last)  # whose own `on_train_begin` comes last

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Be exactly where the training was cut off; or save where it is about to be."""
        if self._resumption is not None:
            if self._resumption.begin_step(batch):
                self._resumption = None
            return
        if self._last is None:
            return
        if self._deadline is not None and self._asked is None:
            steps = (self.params or {}).get("steps")
            if self._deadline.step(last=steps is not None and batch + self.model.steps_per_execution >= steps):
                self._asked = "walltime"
        if self._asked is not None:
            self._stop(Moment(self._epoch, batch, within=True))

    def postpone(self, name: str) -> bool:
        """A signal came: the state is saved before it does what it does."""
        if self._last is None or not runs(self._callbacks.params):
            return False
        if self._resumption is not None:  # it is not there yet, and what is on the disk is what there is to save
            return False
        if self._asked not in (None, "walltime"):
            return name == self._asked == "SIGTERM" and time.monotonic() - self._asked_at < TWICE
        self._asked, self._asked_at = name, time.monotonic()
        return True

    def on_signal(self, name: str) -> None:
        """The process ends."""

    def on_exit(self, error: BaseException | None) -> None:
        """The process leaves."""

    def get_state(self) -> dict[str, Any]:
        """What it knows is what it saves."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing comes back."""

    def begin(self) -> None:
        """All callbacks have begun."""
        if self._training:  # an exception ended the one before, which now begins again
            self._live, self.fits = False, self.fits - 1
            if self._resumption is not None:
                self._resumption.give_up()
                self._resumption = None
        self._training = True
        self._background.wait()  # for a state of before that exception
        self._see_that_it_is_built()
        number, self.fits = self.fits, self.fits + 1
        self._see_what_it_is()
        for each in self._callbacks.callbacks:
            if isinstance(each, keras.callbacks.BackupAndRestore):
                self._warn(messages.two_restore(type(each).__name__))
        self._asked = self.stopped_by = None
        if not (self.path / RUN).is_file():  # which says whose it is, and a recorder asks it
            self._take()
        if not self._live and self._store.exists():
            self._bring_back(number)
        if self._last is not None:
            first = BeforeValidation(self._in_front_of_validation, self._within_validation)
            first.set_model(self.model)
            others = (each for each in self._callbacks.callbacks if not isinstance(each, BeforeValidation))
            self._callbacks.callbacks = [first, *others]  # another list: Keras is going through this one
            self._live = True
            self._lost = LostState(self._callbacks.callbacks)
            endings.attend(self)

    def begin_epoch(self, epoch: int) -> None:
        """All callbacks have begun it."""
        self.model._initial_epoch = None  # which would hold for the next `fit` too
        self._epoch, self._epoch_random, self._epoch_data = epoch, random_state(), data_state(self._adapter)
        if self._resumption is not None and self._resumption.begin_epoch():
            self._resumption = None

    def end_epoch(self, epoch: int) -> None:
        """All callbacks have ended it."""
        if self._resumption is not None and self._resumption.arrived:
            self._resumption = None
        if self._resumption is not None:
            moment = self._resumption.moment
            raise ValueError(
                f"`path` must hold the state of this training. Received: {self.path}, whose state is of step "
                f"{moment.step + 1} of epoch {moment.epoch + 1}, before which this data ended. Give `fit` as much data "
                "as then, or choose another path."
            )
        over = self._deadline is not None and self._deadline.epoch_end()
        ends = self.model.stop_training or epoch + 1 >= (self.params or {}).get("epochs", 0)
        if self._asked is None and over and not ends:
            self._asked = "walltime"
        moment = Moment(epoch + 1, 0, within=False)
        if self._asked is not None:
            self._stop(moment)
        elif ends or not self._background.busy:
            self._background.wait()
            self._background.submit("The state", self._writing(self._state(moment)))

    def end(self) -> None:
        """The training has ended."""
        self._training = False
        self.model._initial_epoch = None
        self._background.wait()
        self._claim.release()
        endings.leave(self)
        self._last = self._resumption = None
        if self._asked is not None:
            endings.go_on_ending()

    def _see_that_it_is_built(self) -> None:
        """TensorFlow makes the weights of a model without an input in the first step, too late to put them back."""
        layers = self.model._flatten_layers(include_self=False)
        if not self.model.built and not all(layer.built for layer in layers):
            raise ValueError(
                f"`model` must be built before `fit`, so that its state can be put back. Received: {self.model.name}, "
                "whose layers have no weights yet. Begin it with keras.Input, or call it on a batch beforehand."
            )

    def _see_what_it_is(self) -> None:
        """By what it is set up with; what a training changes of an optimizer makes no other training of it."""
        if self._optimizer is None or self._optimizer() is not self.model.optimizer:
            self._optimizer = weakref.ref(self.model.optimizer)
            self._fingerprint = fingerprint(self.model)
        self._fingerprint = {**self._fingerprint, "data": data_fingerprint(self._adapter)}

    def _take(self) -> None:
        """Be the one who goes on with this state; where that can't be written, neither can any state."""
        try:
            self._claim.take()
        except FileExistsError:
            raise
        except OSError as error:
            with self._aside("The state"):
                raise error

    def _bring_back(self, number: int) -> None:
        saved = self._store.read()
        state = saved.tree
        build_optimizer(self.model)
        if number < state["fit"]:  # it had ended before the process did
            self.model._initial_epoch = NO_EPOCH
            self._last = None
            if self.verbose:
                io_utils.print_msg(messages.passes_over(number))
            return
        if number > state["fit"]:  # the end of the one before; an exception ended this one before its first state
            return
        for wrong in saved.skipped:
            self._warn(messages.generation_skipped(wrong))
        reason = difference(state["fingerprint"], self._fingerprint) or misfit(state, self.model)
        if reason is not None:
            raise ValueError(
                f"`path` must hold the state of this training. Received: {self.path}, whose state is of another one: "
                f"{reason}. Start it as it was, or choose another path."
            )
        self._store.tidy()
        self._resumption = resumption = Resumption(state, self.model, self._callbacks, self._adapter)
        self.resumed_from = resumption.moment.epoch, resumption.moment.step
        resumption.begin()
        over = state["stopped"]  # by a callback, before the planned end
        self.model._initial_epoch = NO_EPOCH if over else resumption.moment.epoch or None
        for concern in resumption.concerns():
            self._warn(concern)
        if self.verbose:
            io_utils.print_msg(messages.carries_on(*self.resumed_from, resumption.at_validation))

    def _state(self, moment: Moment) -> State:
        return {
            "fit": self.fits - 1,
            "fingerprint": self._fingerprint,
            "stopped": not moment.within and bool(self.model.stop_training),
            "lost": self._lost.now(),
            "random_of_epoch": self._epoch_random if moment.within else None,
            "random": random_state(),
            **captured(moment, self.model, self._callbacks.callbacks, self._adapter),
        }

    def _in_front_of_validation(self) -> State | None:
        """With the logs of the last step; None where the state on the disk is of that moment, or it can't be told."""
        if self._resumption is not None:
            self._resumption.begin_validation()
            return None
        if (found := last_step(self._callbacks)) is None:
            return None
        step, logs = found
        kept = {name: np.array(keras.ops.convert_to_numpy(value)) for name, value in logs.items()}
        state = self._state(Moment(self._epoch, step + 1, within=True))
        return {**state, "data": self._epoch_data, "logs": kept}  # the data have turned to the next epoch

    def _within_validation(self, state: State | None) -> None:
        if self._asked is not None and state is not None:
            self._stop(Moment(state["epoch"], state["step"], within=True), state)

    def _writing(self, state: State) -> Any:
        others = [each.background for each in self._callbacks.callbacks if hasattr(each, "background")]

        def write() -> None:
            for background in others:  # what the state says is on the disk must be there
                background.join(FOR_EVER)
            self._claim.check()
            self._store.write(state)

        return write

    def _stop(self, moment: Moment, state: State | None = None) -> None:
        """Save what there is, or what there was, and let what asked for it go on."""
        self.stopped_by = self._asked
        self._background.wait()
        with self._aside("The state"):
            self._writing(self._state(moment) if state is None else state)()
        self._asked = None
        try:
            if self.stopped_by != "walltime":
                endings.go_on_ending()
                return
            if self.verbose:
                io_utils.print_msg("\n" + messages.stopped_for_walltime(moment.epoch, moment.step))
            endings.tell("The end of the walltime")
            raise WalltimeReached
        except BaseException:
            endings.leave(self)  # this `fit` is over, and Keras tells no callback
            raise

    def _tell(self, what: str, error: Exception) -> None:
        self._warn(messages.not_saved(what, error))

    def _tell_later(self, what: str, error: Exception) -> None:
        with self._aside(what):  # once, however many epochs' states can't be written
            raise error

    def _warn(self, found: Finding) -> None:
        warnings.warn(found.sentence, UserWarning, stacklevel=3)
