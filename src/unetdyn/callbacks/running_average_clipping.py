"""Clip the gradient's norm to a multiple of the running average of the norms before."""

from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_fraction, check_positive, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.messages.clipping import gradients_clipped_to_average
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, Rows, Step
from unetdyn.dynamics.clipping import add_to_average, average, clip_coefficient
from unetdyn.dynamics.probe import AddVariable, Factors, Tensor
from unetdyn.dynamics.settable_number import SettableNumber


class RunningAverageClipping(StepControl):
    """A control that clips the global gradient norm to a multiple of what it usually was, as the studies say.

    gₜ → gₜ · min(1, Cₜ / ‖gₜ‖) with Cₜ = α · (running average of ‖g‖ over the steps before), ‖g‖ the norm over all
    variables together. The studies give the formula and no more; what it leaves open is settled so:

    - The average is exponential with `decay` β, and corrected for its beginning, as Adam's are: of n norms,
      Σ βⁿ⁻ⁱ‖gᵢ‖ / Σ βⁿ⁻ⁱ. So it is right from its first norm on, and no warm-up is needed. β = 1 is the mean of all.
    - This step's norm is not in it: a spike does not raise its own limit. The first step, before which there was none,
      is left alone.
    - Norms enter as they came, before clipping: with clipped ones and α < 1 limit and norms would shrink each other to
      0. One norm k times the average raises the limit by a factor of 1 + (1 − β)(k − 1) for about 1 / (1 − β) steps;
      where single norms are a thousand times the others, `AutoClip`'s percentile bears them better.
    - Norms that are NaN or infinite do not enter.

    It acts inside the compiled step, before the optimizer's own `clipnorm`, and never waits for the host. NaN and
    infinite entries are not mended: put a `NonFiniteGuard` beside it. Where finite entries, beyond about 1e19, have a
    norm that float32 cannot hold, the gradient becomes 0, as soon as there is an average. Under gradient accumulation
    the gradient of each micro-batch is clipped, with their norms in the average. Several controls act in their order in
    the list of callbacks, each on what the one before left.

    The average belongs to the optimizer, as its momentum does: a further `fit` of the same model carries on with it,
    another model, or a new `compile`, begins with none.

    In `logs`: `running_average_clip_fraction`, the fraction of the epoch's steps that were clipped, and
    `running_average_clip_norm`, its last limit; NaN, and left out, where only the first step was there.

    Args:
        alpha: α > 0. Default 2, ours, since the studies name none: what is usual passes, spikes do not. 1 clips about
            half of the steps; below 1, nearly all.
        decay: β, in [0, 1]. Default 0.99, which averages over about the latest hundred steps, as Keras' moving averages
            do. 0 takes the norm of the step before, 1 the mean of all.
        verbose: 1 prints a sentence for each epoch in which something was clipped; 0 is silent.
        name: First part of the keys, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: Arrays of shape `(steps,)`: `step`; `grad_norm`, before clipping; `clip_norm`, the limit Cₜ, infinite
            at the first step; `clip_coefficient`, in [0, 1], what the gradient was multiplied by.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mean_absolute_error")
        >>> x = np.array([[1.0], [3.0], [8.0], [4.0]])  # the gradient's norm is |x|
        >>> clip = RunningAverageClipping(alpha=2, decay=1)
        >>> _ = model.fit(x, 100 * x, batch_size=1, shuffle=False, verbose=0, callbacks=[clip])
        >>> [float(norm) for norm in clip.record["clip_norm"]]
        [inf, 2.0, 4.0, 8.0]

    Reference:
        The U-Net training-dynamics studies (2025), third text, "Clipping Strategies": adaptive clipping,
        C_t = α × running_average(‖∇L‖).
    """

    declaration = declarations.RUNNING_AVERAGE_CLIP

    def __init__(
        self, alpha: float = 2.0, decay: float = 0.99, verbose: int = 0, name: str = "running_average_clip"
    ) -> None:
        check_positive("alpha", alpha)
        check_fraction("decay", decay, zero=True, one=True)
        self._alpha = SettableNumber(alpha)
        self.decay = plain(decay)
        self._average: tuple[float, ...] = (0.0, 0.0)  # the weighted sum of the norms, and that of the weights
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"alpha": self.alpha, "decay": self.decay, "verbose": self.verbose, "name": self.name}

    def get_state(self) -> dict[str, Any]:
        """With α and the average that the host has read; those on the device are among the training's variables."""
        return super().get_state() | {"average": self._average, "alpha": self.alpha}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        self._average = tuple(state["average"])
        self.alpha = state["alpha"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Attach, with the average of what this optimizer has already had."""
        self.read()  # what a training left that an exception ended
        super().on_train_begin(logs)

    def _new_optimizer(self) -> None:
        self._average = (0.0, 0.0)

    @property
    def alpha(self) -> float:
        """α. Set between two epochs, it holds from the next step on, without anything being compiled anew."""
        return self._alpha.value

    @alpha.setter
    def alpha(self, alpha: float) -> None:
        check_positive("alpha", alpha)
        self._alpha.value = alpha

    def probe(self) -> Control:
        """The clipping, with the average so far."""
        return _ClipToAverage(self._alpha, self.decay, *self._average)

    def _empty_record(self) -> StepRecord:
        none = np.zeros(0, np.float32)
        return StepRecord(step=np.zeros(0, np.int64), grad_norm=none, clip_norm=none, clip_coefficient=none)

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:  # noqa: ARG002
        norm, limit, coefficient, total, weight = rows.extra["clip"].T
        self._average = float(total[-1]), float(weight[-1])
        self._series.append(step=rows.step, grad_norm=norm, clip_norm=limit, clip_coefficient=coefficient)
        clipped = coefficient < 1
        if clipped.any():
            self.report(gradients_clipped_to_average(limit, coefficient, self.alpha))
        last = float(limit[-1]) if np.isfinite(limit[-1]) else float("nan")
        return {f"{self.name}_fraction": float(clipped.mean()), f"{self.name}_norm": last}


class _ClipToAverage(Control):
    """The running average on the device, and the clipping by it."""

    def __init__(self, alpha: SettableNumber, decay: float, total: float, weight: float) -> None:
        self._alpha = alpha
        self._decay = decay
        self._before = total, weight

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:  # noqa: ARG002
        self._alpha.build(add_variable)
        self._total, self._weight = (add_variable(initial=value) for value in self._before)

    def key(self) -> Hashable:
        return type(self), self._decay

    def columns(self) -> dict[str, int]:
        return {"clip": 5}

    def transform(self, step: Step) -> tuple[Factors, None, dict[str, Tensor]]:
        norm = ops.sqrt(ops.sum(step.grad_norm_sq))
        total, weight = self._total.value, self._weight.value
        limit = self._alpha.in_step * average(total, weight)
        coefficient = clip_coefficient(norm, limit)
        total, weight = add_to_average(total, weight, norm, self._decay)
        self._total.assign(total)
        self._weight.assign(weight)
        factors = Factors(None if g is None else coefficient for g in step.gradients)
        return factors, None, {"clip": ops.stack([norm, limit, coefficient, total, weight])}
