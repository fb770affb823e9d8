"""Clip the gradient's norm to a percentile of the norms seen so far."""

import collections
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_count, check_range
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages.clipping import gradients_clipped
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, Rows, Step
from unetdyn.dynamics.clipping import clip_coefficient, percentile, remember
from unetdyn.dynamics.probe import AddVariable, Factors, Tensor


class AutoClip(StepControl):
    """A control that clips the global gradient norm to a percentile of the norms of the latest steps.

    gₜ → gₜ · min(1, Pₜ / ‖gₜ‖) with Pₜ the `percentile`-th percentile of ‖g‖ over the latest `history` steps, this one
    included, and ‖g‖ the norm over all variables together. The threshold follows the training by itself: no norm has
    to be guessed. At the default nine steps in ten are clipped where norms scatter evenly; that is the method. It acts
    inside the compiled step, before the optimizer's own `clipnorm`, and never waits for the host.

    Norms that are NaN or infinite do not enter the history. NaN and infinite entries are not mended: put a
    `NonFiniteGuard` beside it. Where finite entries, beyond about 1e19, have a norm that float32 cannot hold, the
    gradient becomes 0, as soon as there is a history. Under gradient accumulation the gradient of each micro-batch is
    clipped, with their norms for history. Several controls act in their order in the list of callbacks, each on what
    the one before left.

    The history belongs to the optimizer, as its momentum does: a further `fit` of the same model carries on with it,
    another model, or a new `compile`, begins with none.

    In `logs`: `auto_clip_fraction`, the fraction of the epoch's steps that were clipped, and `auto_clip_norm`, its last
    threshold.

    Args:
        percentile: In [0, 100]. Default 10, what the paper recommends. 100 clips nothing.
        history: How many steps' norms count, ≥ 1. Default 1000. The paper uses all steps, so early norms never expire
            and memory grows; a window follows norms that fall or rise over a training.
        verbose: 1 prints a sentence for each epoch in which something was clipped; 0 is silent.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: Arrays of shape `(steps,)`: `step`; `grad_norm`, before clipping; `clip_norm`, the threshold Pₜ;
            `clip_coefficient`, in [0, 1], what the gradient was multiplied by.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_absolute_error")
        >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])  # the gradient's norm is |x|
        >>> clip = AutoClip(percentile=50)
        >>> _ = model.fit(x, 100 * x, batch_size=1, shuffle=False, verbose=0, callbacks=[clip])
        >>> [float(norm) for norm in clip.record["clip_norm"]]
        [1.0, 1.5, 2.0, 2.5]

    Reference:
        Seetharaman, Wichern, Pardo, Le Roux (2020), AutoClip: Adaptive Gradient Clipping for Source Separation
        Networks, algorithm 1.
    """

    declaration = declarations.AUTO_CLIP

    def __init__(
        self, percentile: float = 10.0, history: int = 1000, verbose: int = 0, name: str = "auto_clip"
    ) -> None:
        check_range("percentile", percentile, 0, 100)
        check_count("history", history, 1, "steps")
        self.percentile = float(percentile)
        self.history = int(history)
        self._norms: collections.deque[float] = collections.deque(maxlen=self.history)
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"percentile": self.percentile, "history": self.history, "verbose": self.verbose, "name": self.name}

    def get_state(self) -> dict[str, Any]:
        """With the norms that the host has read; those on the device are among the training's variables."""
        return super().get_state() | {"norms": list(self._norms)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._norms.clear()
        self._norms.extend(state["norms"])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Attach, with the norms this optimizer has already had."""
        self.read()  # what a training left that an exception ended
        super().on_train_begin(logs)

    def _new_optimizer(self) -> None:
        self._norms.clear()

    def probe(self) -> Control:
        """The clipping, with the norms of earlier steps."""
        return _ClipToPercentile(self.percentile, self.history, list(self._norms))

    def _empty_record(self) -> StepRecord:
        none = np.zeros(0, np.float32)
        return StepRecord(step=np.zeros(0, np.int64), grad_norm=none, clip_norm=none, clip_coefficient=none)

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:  # noqa: ARG002
        norm, limit, coefficient = rows.extra["clip"].T
        self._norms.extend(norm[np.isfinite(norm)].tolist())
        self._series.append(step=rows.step, grad_norm=norm, clip_norm=limit, clip_coefficient=coefficient)
        clipped = coefficient < 1
        if clipped.any():
            self.report(gradients_clipped(limit, coefficient, self.percentile, len(self._norms)))
        return {f"{self.name}_fraction": float(clipped.mean()), f"{self.name}_norm": float(limit[-1])}


class _ClipToPercentile(Control):
    """The ring of norms on the device, and the clipping by it."""

    def __init__(self, q: float, capacity: int, norms: list[float]) -> None:
        self._q = q
        self._capacity = capacity
        self._before = norms

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:  # noqa: ARG002
        self._history = add_variable((self._capacity,))
        self._count = add_variable(dtype="int", initial=len(self._before))
        if self._before:
            empty = [0.0] * (self._capacity - len(self._before))
            self._history.assign(np.array(self._before + empty, np.float32))

    def key(self) -> Hashable:
        return type(self), self._q, self._capacity

    def columns(self) -> dict[str, int]:
        return {"clip": 3}

    def transform(self, step: Step) -> tuple[Factors, None, dict[str, Tensor]]:
        norm = ops.sqrt(ops.sum(step.grad_norm_sq))
        history, count = remember(self._history.value, self._count.value, norm)
        limit = percentile(history, count, self._q)
        coefficient = clip_coefficient(norm, limit)
        self._history.assign(history)
        self._count.assign(count)
        factors = Factors(None if g is None else coefficient for g in step.gradients)
        return factors, None, {"clip": ops.stack([norm, limit, coefficient])}
