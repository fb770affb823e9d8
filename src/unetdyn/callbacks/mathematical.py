"""The studies' monitor: the gradient's norm and the learning rate of each batch, as lists."""

from typing import Any

import numpy as np

from unetdyn.analysis import declarations
from unetdyn.callbacks.step_callbacks import StepMonitor
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Rows


class MathematicalMonitor(StepMonitor):
    """Keeps the gradient's norm and the learning rate of each batch, as the studies' callback of this name does.

    ‖g‖ = sqrt(Σ gᵢ²) of the gradient that the step had anyway: of the loss, unscaled, before clipping; of each
    micro-batch under gradient accumulation. There is no second pass: norms are taken inside the compiled step, and
    read once an epoch. So the lists grow at the end of an epoch, not after each batch. Training is not changed.

    At the end of each epoch `logs` gets `mean_grad_norm`, `max_grad_norm` and `grad_norm_std` of the epoch's batches.
    It judges nothing: `GradientMonitor` says when gradients explode, vanish, spike or aren't numbers, and where.

    An epoch 0 starts anew; a `fit` with `initial_epoch` > 0 carries on.

    Args:
        verbose: Kept for all monitors; this one has nothing to say.
        name: The name under which `RunRecorder` keeps the record.

    Attributes:
        gradient_norms: A list of floats, ‖g‖ of each batch; NaN or infinite where the gradient was.
        learning_rates: A list of floats, the rate that the batch's update was given.
        gradient_stats: Mean, maximum and standard deviation (divided by n, `numpy.std`) of all norms so far:
            `mean_grad_norm`, `max_grad_norm`, `grad_norm_std`; NaN before the first epoch's end.
        record: Dictionary of arrays with one element a step: `step`, `epoch`, `grad_norm`, `learning_rate`.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.01))
        >>> monitor = MathematicalMonitor()
        >>> x = np.ones((4, 1))
        >>> _ = model.fit(x, x, batch_size=2, epochs=1, verbose=0, callbacks=[monitor])
        >>> [round(norm, 3) for norm in monitor.gradient_norms], [round(rate, 3) for rate in monitor.learning_rates]
        ([2.828, 2.715], [0.01, 0.01])
        >>> round(monitor.gradient_stats["mean_grad_norm"], 3)
        2.772

    Reference:
        The studies (docs/studies.md); ‖g‖ as in Pascanu et al., On the difficulty of training recurrent neural networks
        (2013), arXiv:1211.5063.
    """

    declaration = declarations.MATHEMATICAL

    def __init__(self, verbose: int = 0, name: str = "mathematical") -> None:
        super().__init__(name, verbose)

    @property
    def gradient_norms(self) -> list[float]:
        """‖g‖ of each batch."""
        return self._list("grad_norm")

    @property
    def learning_rates(self) -> list[float]:
        """The rate of each batch's update."""
        return self._list("learning_rate")

    @property
    def gradient_stats(self) -> dict[str, float]:
        """Mean, maximum and standard deviation of all norms so far."""
        return _stats(self.gradient_norms)

    def _list(self, column: str) -> list[float]:
        values: list[float] = self._series.arrays[column].tolist()
        return values

    def _empty_record(self) -> StepRecord:
        number, real = np.zeros(0, np.int64), np.zeros(0, np.float32)
        return StepRecord(step=number, epoch=number, grad_norm=real, learning_rate=real)

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:  # noqa: ARG002
        self._series.append(
            step=rows.step,
            epoch=np.full(len(rows), self._epoch),
            grad_norm=rows.grad_norm.astype(np.float32),
            learning_rate=rows.learning_rate,
        )
        return _stats(rows.grad_norm)


def _stats(norms: Any) -> dict[str, float]:
    values = np.asarray(norms, np.float64)
    if not len(values):
        values = np.array([np.nan])
    with np.errstate(invalid="ignore"):  # infinite norms have no standard deviation
        return {
            "mean_grad_norm": float(np.mean(values)),
            "max_grad_norm": float(np.max(values)),
            "grad_norm_std": float(np.std(values)),
        }
