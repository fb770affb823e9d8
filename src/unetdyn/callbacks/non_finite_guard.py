"""Skip the updates whose gradients are not finite, say where they came from, and stop when nothing else comes."""

import weakref
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_count, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import guard as messages
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, OptimizerTap, Rows, Step
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import Overrides, keep_finite_in, release
from unetdyn.dynamics.optimizers import has_loss_scale
from unetdyn.dynamics.probe import Tensor

_LARGEST_SCALE_THAT_NEEDS_NO_LOWERING = 1.0


class NonFiniteGuard(StepControl):
    """A control that skips every update whose gradients hold NaN or infinity, so that one bad batch costs one batch.

    Inside the compiled step, weights and the optimizer's own state stay as they were before such a step, and moving
    statistics (of `BatchNormalization`, say), which the forward pass writes, take over finite values only. Training
    goes on with the next batch, where `keras.callbacks.TerminateOnNaN` stops with the weights already lost. Where all
    gradients are finite nothing is changed. The epoch's `loss` and metrics are Keras' means over all its batches: they
    are NaN where one was.

    After `max_consecutive` skipped updates in a row training stops, since then it isn't the batch. The host looks at
    the end of each epoch and, in long ones, every 1024 steps or so, when the tap's ring is full; no step waits for it.
    Nothing is lost meanwhile: these updates are skipped too.

    A `LossScaleOptimizer` skips such updates itself and halves its scale. They are counted here too, but towards
    `max_consecutive` only at a scale of 1 or less. A larger scale may be the cause, as in the first steps of every such
    training. Under gradient accumulation the micro-batch is left out and the next takes
    its place. Put the guard before other controls or after them: it looks at the gradient of the loss.

    In `logs`: `skipped_updates`, how many in the epoch. On TensorFlow, with data whose length nobody knows beforehand,
    Keras itself counts one step too many an epoch, with the guard as without; under gradient accumulation it also drops
    what is accumulated when the data ends, without the guard only.

    Args:
        max_consecutive: How many updates in a row may be skipped, ≥ 1; None never stops. Default 10: a fault in the
            data hits single batches, and a model that has overflowed all.
        verbose: 1 (default) prints a sentence for each epoch with skipped updates, and one when it stops; 0 is silent.
        name: The name under which `RunRecorder` keeps the record.

    Attributes:
        record: Arrays of shape `(skipped updates,)`: `step`; `variable` and `block`, where the gradient wasn't finite
            nearest to the loss: back-propagation goes from there to the input, and so does NaN; `entries`, the number
            of non-finite entries in all gradients; `variables`, in how many variables.
        skipped: How many updates were skipped since the training began.
        stopped_step: The last of the `max_consecutive` updates, where it has stopped training, or None.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If `max_consecutive` is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        >>> x = np.array([[1.0], [np.nan], [1.0]])
        >>> guard = NonFiniteGuard(verbose=0)
        >>> _ = model.fit(x, np.ones((3, 1)), batch_size=1, shuffle=False, verbose=0, callbacks=[guard])
        >>> guard.skipped, guard.record["step"].tolist(), bool(np.isfinite(model.get_weights()[0]).all())
        (1, [1], True)

    Reference:
        Micikevicius et al. (2018), Mixed Precision Training, section 3.2, for skipping updates with non-finite
        gradients.
    """

    declaration = declarations.NON_FINITE_GUARD

    def __init__(self, max_consecutive: int | None = 10, verbose: int = 1, name: str = "non_finite_guard") -> None:
        if max_consecutive is not None:
            check_count("max_consecutive", max_consecutive, 1, "updates", "or None to never stop")
        self.max_consecutive = plain(max_consecutive)
        self.stopped_step: int | None = None
        self._watch: _Watch | None = None
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"max_consecutive": self.max_consecutive, "verbose": self.verbose, "name": self.name}

    def get_state(self) -> dict[str, Any]:
        """With the run of skipped updates."""
        watch = {} if self._watch is None else {"run": self._watch.run, "stopped_at": self._watch.stopped_at}
        return super().get_state() | {"skipped": self.skipped, "stopped_step": self.stopped_step, "watch": watch}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self.skipped, self.stopped_step = state["skipped"], state["stopped_step"]
        if self._watch is not None and state["watch"]:
            self._watch.run, self._watch.stopped_at = state["watch"]["run"], state["watch"]["stopped_at"]

    def probe(self) -> Control:
        """What skips the updates."""
        return _SkipNonFinite(self.model.optimizer)

    def _attach(self) -> OptimizerTap:
        """The tap, and the guard of what the forward pass writes; the run of skipped updates carries on."""
        earlier = self._watch
        run = earlier.run if earlier is not None and earlier.stopped_at is None else 0
        self.stopped_step = None
        watch = self._watch = _Watch(self.model, self.max_consecutive, run)
        tap = OptimizerTap(self.model, self.probe(), session=self.params, on_rows=watch.count, on_detach=watch.end)
        watch.begin()
        return tap

    def _restart(self) -> None:
        super()._restart()
        self.skipped = 0
        self.stopped_step = None
        if self._watch is not None:
            self._watch.run = 0

    def _empty_record(self) -> StepRecord:
        number, text = np.zeros(0, np.int64), np.zeros(0, "<U1")
        return StepRecord(step=number, variable=text, block=text, entries=number, variables=number)

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        bad = np.flatnonzero(~rows.finite)
        counts = rows.nonfinite[bad]
        # Blocks are in the order of the network, and NaN travels from the loss towards the input.
        ordered = [(name, column) for name, columns in blocks.items() for column in columns]
        nearest = [next(place for place in reversed(ordered) if row[place[1]]) for row in counts]
        self._series.append(
            step=rows.step[bad],
            variable=np.array([self.variables[column].path for _, column in nearest], dtype=str),
            block=np.array([name for name, _ in nearest], dtype=str),
            entries=counts.sum(axis=1),
            variables=(counts > 0).sum(axis=1),
        )
        self.skipped += len(bad)
        if len(bad):
            self.report(self._skipped(rows, bad, *nearest[0]))
        if self._watch is not None and self._watch.stopped_at is not None and self.stopped_step is None:
            self.stopped_step = self._watch.stopped_at + (self._shift or 0)
            block, column = nearest[-1]
            variable = self.variables[column].path
            self.report(messages.training_stopped(self.max_consecutive, self.stopped_step, variable, block))
        return {"skipped_updates": float(len(bad))}

    def _skipped(self, rows: Rows, bad: np.ndarray, block: str, column: int) -> Finding:
        """What is to be told of the steps `bad`, at the first of which the column of that block was not finite."""
        counts = rows.nonfinite[bad[0]]
        others = int((counts > 0).sum()) - 1
        return messages.updates_skipped(
            skipped=len(bad),
            total=len(rows),
            step=int(rows.step[bad[0]]),
            variable=self.variables[column].path,
            block=block,
            others=others,
            everywhere=others + 1 == len(counts),
            scaled=has_loss_scale(self.model.optimizer),
        )


class _Watch:
    """What goes with the guard's tap: the forward pass's state is kept finite, and skipped updates in a row counted.

    Rows may come within an epoch; `stop_training` then ends `fit` after that step. Once the tap is detached it stops
    nothing, since a new `fit` may have begun.
    """

    def __init__(self, model: keras.Model, limit: int | None, run: int) -> None:
        self.run = run
        self.stopped_at: int | None = None
        self._limit = limit
        self._model = model
        self._attached = True

    def begin(self) -> None:
        """Keep the forward pass's state finite; after the tap has been attached, which ends earlier watches."""
        unbuilt = Overrides()
        keep_finite_in(self._model, unbuilt)
        # After an exception nobody may hold this watch any more: its end, too, must undo what it did to the model.
        self._undo = weakref.finalize(self, _let_be, self._model, unbuilt)
        self._undo.atexit = False

    def end(self) -> None:
        """The tap has been detached; the last rows are still to come."""
        self._attached = False
        self._undo()

    def count(self, rows: Rows) -> None:
        """Go on with the run of skipped updates, and stop training where it is too long."""
        bad = ~rows.finite
        counted = bad & (rows.extra["loss_scale"][:, 0] <= _LARGEST_SCALE_THAT_NEEDS_NO_LOWERING)
        for step, is_bad, counts in zip(rows.step, bad, counted, strict=True):
            self.run = self.run + int(counts) if is_bad else 0
            if self.run == self._limit and self.stopped_at is None:
                self.stopped_at = int(step)
                if self._attached:
                    self._model.stop_training = True


def _let_be(model: keras.Model, unbuilt: Overrides) -> None:
    unbuilt.restore()
    release(model.variables)


class _SkipNonFinite(Control):
    """Forbids the update where a gradient is not finite; adds the loss scale to the row, 1 where there is none."""

    def __init__(self, optimizer: keras.Optimizer) -> None:
        self._optimizer = optimizer

    def key(self) -> Hashable:
        return (type(self),)

    def columns(self) -> dict[str, int]:
        return {"loss_scale": 1}

    def measure(self, step: Step) -> dict[str, Tensor]:  # noqa: ARG002
        if has_loss_scale(self._optimizer):
            return {"loss_scale": backend.snapshot([self._optimizer.dynamic_scale])[0]}
        return {"loss_scale": ops.ones(())}

    def transform(self, step: Step) -> tuple[None, Tensor, dict[str, Tensor]]:
        return None, ops.sum(step.nonfinite) > 0, {}
