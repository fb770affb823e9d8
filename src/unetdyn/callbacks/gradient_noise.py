"""Add noise to the gradients that fades as training goes on."""

import math
from collections.abc import Hashable
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._checks import check_count, check_range, plain
from unetdyn.analysis import declarations
from unetdyn.callbacks.step_callbacks import StepControl
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Control, Rows, Step
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.optimizers import counts_steps, inner
from unetdyn.dynamics.probe import Gradients, Tensor
from unetdyn.dynamics.stateless_normal import standard_normal, word_of


class GradientNoise(StepControl):
    """A control that adds Gaussian noise to every entry of the gradient, less and less of it.

    g ← g + N(0, σₜ²) with σₜ² = η / (1 + t)^γ, t the number of updates before this one. The noise is drawn from the
    seed and the step's number, for all the optimizer's weights in their order, and from nothing else: the same seed
    gives the same noise whatever else is drawn meanwhile, no other random number changes, and a training that goes on,
    in another `fit` or another process, goes on with the noise that it would have had. Each backend has its own
    numbers.

    t is the optimizer's own count, which is saved with it; updates that were skipped do not count. Under gradient
    accumulation each of K micro-batches gets noise of √K · σₜ, so that their mean has σₜ. The noise is in units of the
    gradient of the loss, also under a loss scale and where replicas share a batch. All weights get noise in all
    entries: an embedding's gradient, which TensorFlow has as slices, becomes dense, as it is on the other backends.

    It acts inside the compiled step, in its order in the list of callbacks: before a clipping control, the noise is
    clipped with the gradient; the optimizer's own `clipnorm` comes after it in any case. It never waits for the host,
    but on PyTorch, whose generators take their seed as a number. Of the gradient's size nothing is known here: η is
    absolute, so look at `GradientMonitor`'s norms (noise in n weights has a norm of about σₜ√n).

    In `logs`: `gradient_noise_sigma`, σₜ of the epoch's last step.

    Args:
        eta: η ≥ 0. Default 0.01, the smallest of the paper's, which chose from 0.01, 0.3 and 1.0. 0 adds none.
        gamma: γ ≥ 0, how fast the noise fades. Default 0.55, the paper's. 0 lets it stay.
        seed: Whole number ≥ 0. Default 0.
        verbose: Has nothing to say; here for likeness with other controls.
        name: First part of the key, and the name under which `RunRecorder` keeps the record.

    Attributes:
        record: `step` and `sigma`, arrays of shape `(steps,)`: σₜ of each step.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(0.01), "mse")
        >>> noise = GradientNoise(eta=1.0, gamma=1.0)
        >>> _ = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=1, verbose=0, callbacks=[noise])
        >>> [round(float(sigma), 4) for sigma in noise.record["sigma"]]
        [1.0, 0.7071, 0.5774, 0.5]

    Reference:
        Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach, Martens (2015), Adding Gradient Noise Improves Learning for
        Very Deep Networks, arXiv:1511.06807, section 3.
    """

    declaration = declarations.GRADIENT_NOISE

    def __init__(
        self, eta: float = 0.01, gamma: float = 0.55, seed: int = 0, verbose: int = 0, name: str = "gradient_noise"
    ) -> None:
        check_range("eta", eta, 0)
        check_range("gamma", gamma, 0)
        check_count("seed", seed, 0, "")
        self.eta = plain(eta)
        self.gamma = plain(gamma)
        self.seed = plain(seed)
        super().__init__(name, verbose)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {argument: getattr(self, argument) for argument in ("eta", "gamma", "seed", "verbose", "name")}

    def probe(self) -> Control:
        """The noise."""
        return _AddNoise(inner(self.model.optimizer), self.eta, self.gamma, self.seed)

    def _empty_record(self) -> StepRecord:
        return StepRecord(step=np.zeros(0, np.int64), sigma=np.zeros(0, np.float32))

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:  # noqa: ARG002
        sigma = rows.extra["sigma"].reshape(-1)
        self._series.append(step=rows.step, sigma=sigma)
        return {f"{self.name}_sigma": float(sigma[-1])}


class _AddNoise(Control):
    """Noise from the seed and the optimizer's count of steps; it needs no state of its own."""

    def __init__(self, optimizer: keras.Optimizer, eta: float, gamma: float, seed: int) -> None:
        self._optimizer = optimizer
        self._settings = eta, gamma, seed

    def key(self) -> Hashable:
        return type(self), self._settings

    def columns(self) -> dict[str, int]:
        return {"sigma": 1}

    def transform(self, step: Step) -> tuple[Gradients | None, None, dict[str, Tensor]]:
        eta, gamma, seed = self._settings
        if eta == 0:
            return None, None, {"sigma": ops.zeros((), "float32")}
        counted = counts_steps(self._optimizer)
        count = backend.snapshot([self._optimizer._iterations])[0] if counted else step.number
        parts = self._optimizer.gradient_accumulation_steps or 1
        updates = ops.cast(count // parts if parts > 1 else count, "float32")
        sigma = math.sqrt(eta) * ops.power(1.0 + updates, -gamma / 2)
        # One draw for all weights: XLA compiles each draw anew, which for sixty weights takes longer than all the rest.
        sizes = [math.prod(weight.shape) for weight in step.weights]
        drawn = math.sqrt(parts) * sigma * standard_normal(sum(sizes), word_of(seed), count)
        noisy: Gradients = []
        for gradient, weight, end, size in zip(step.gradients, step.weights, np.cumsum(sizes), sizes, strict=True):
            noise = ops.reshape(drawn[int(end) - size : int(end)], weight.shape)
            noisy.append(None if gradient is None else gradient + ops.cast(noise, gradient.dtype))
        return noisy, None, {"sigma": sigma}
