"""Watch how far each update moves the weights, block by block."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_band, check_count, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.causes.updates import HIGH, LOW
from unetdyn.analysis.diagnosis.messages import update as messages
from unetdyn.analysis.diagnosis.messages.update import IN_WARMUP, WARMUP
from unetdyn.analysis.robust import finite_medians
from unetdyn.analysis.update_ratios import angular_update, effective_learning_rate, norms, update_ratio
from unetdyn.callbacks.step_callbacks import StepMonitor
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Rows
from unetdyn.dynamics.optimizers import inner
from unetdyn.dynamics.weight_kinds import is_kernel, scale_invariant

Series = dict[str, NDArray[np.float32]]


class UpdateMonitor(StepMonitor):
    """Measures the update-to-weight ratio ‖Δw‖ / ‖w‖ of every block at every step, and says when it leaves the band.

    The ratio says whether the learning rate suits the weights, whatever the loss's scale, the optimizer and its
    schedule: Δw is what the step did to the weights, all told (rule, decay, constraints). Around 1e-3 is where training
    usually goes well; at 1e-1 the weights are thrown about, at 1e-6 nothing is learned.

    Kernels are taken together for each block; biases and the norms' scales and offsets apart from them, since these
    begin at 0 or 1 and their ratios mean little. At the end of each epoch `logs` gets, on a scale of log10 and over the
    steps that updated the weights, `update_ratio_log10`, the median over blocks of the blocks' medians;
    `update_ratio_log10_min` and `update_ratio_log10_max`, the lowest and highest block.

    The studies called a ratio of 1 % healthy, ten times what is usual. That number is the λ of adaptive gradient
    clipping (`AdaptiveGradientClipping(0.01)`), which bounds another ratio: ‖g‖/‖w‖, before the learning rate is
    applied. With plain gradient descent the ratio here is η times that one.

    A kernel that goes straight into a norm is scale-invariant: only its direction matters, so that what counts is the
    angle by which a step turns it, `effective_rate`, about ‖Δw‖/‖w‖ in radians. For plain gradient descent this goes
    with the effective learning rate η/‖w‖²: as the weights grow, training slows down although the rate stays. Such
    kernels are found in functional and sequential models; blocks without any are not in these two dictionaries.

    Args:
        low: Ratio below which a block hardly learns. Default 1e-4.
        high: Ratio above which a block is thrown about. Default 3e-3.
        warmup: The first updates of the optimizer (under gradient accumulation several steps each; a newly compiled
            one begins again), in which only a ratio above ten times `high` is worth a message:
            Adam's first updates have the full learning rate in every entry. Default 100. An epoch counts
            as warm-up if more than half of its updates are.
        verbose: 1 prints messages as they come; 0 is silent.
        name: The name under which `RunRecorder` keeps the record.

    Attributes:
        record: Dictionary of arrays with one element a step: `step`, `epoch`, `learning_rate` (that the update rule was
            given), `applied`; the numbers `low` and `high`; and dictionaries of arrays by block, NaN where the step
            updated nothing or the weights are all zero: `update_ratio` (kernels), `update_ratio_other` (biases and
            norms), `update_norm` (‖Δw‖ of the whole block), `effective_rate` (radians a step, root mean square over
            the block's scale-invariant kernels), `effective_learning_rate` (η/‖w‖², mean over them).
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If `low` isn't below `high`, or `warmup` is negative.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="d")])
        >>> model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.001))
        >>> monitor = UpdateMonitor()
        >>> x = np.ones((2, 1))
        >>> _ = model.fit(x, 2 * x, batch_size=2, epochs=1, verbose=0, callbacks=[monitor])
        >>> round(float(monitor.record["update_ratio"]["d"][0]), 6)
        0.002

    References:
        Karpathy, CS231n: Neural networks 3, "Ratio of weights:updates" (2015), for 1e-3; van Laarhoven (2017),
        arXiv:1706.05350, and Hoffer et al. (2018), arXiv:1803.01814, for the effective learning rate; Wan et al.
        (2021), arXiv:2006.08419, for the angle; Brock et al. (2021), arXiv:2102.06171, for adaptive gradient clipping.
    """

    declaration = declarations.UPDATE

    def __init__(
        self, low: float = LOW, high: float = HIGH, warmup: int = WARMUP, verbose: int = 0, name: str = "update"
    ) -> None:
        check_band("low", low, "high", high)
        check_count("warmup", warmup, 0, "steps")
        self.low = plain(low)
        self.high = plain(high)
        self.warmup = plain(warmup)
        super().__init__(name, verbose)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Attach the tap; which weights are of which kind is looked up at the first reading."""
        super().on_train_begin(logs)
        self._kinds: tuple[set[int], set[int], set[int]] | None = None

    @property
    def _settings(self) -> dict[str, Any]:
        return {"low": np.array(self.low), "high": np.array(self.high)}

    def _empty_record(self) -> StepRecord:
        number = np.zeros(0, np.int64)
        return StepRecord(
            step=number,
            epoch=number,
            learning_rate=np.zeros(0, np.float32),
            applied=np.zeros(0, bool),
            update_ratio={},
            update_ratio_other={},
            update_norm={},
            effective_rate={},
            effective_learning_rate={},
        )

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        updates, weights, applied = rows.update_norm_sq, rows.weight_norm_sq, rows.applied
        if self._kinds is None:
            self._kinds = _kinds(self.model, self.variables)
        kernels, others, invariant = (_of(blocks, kind) for kind in self._kinds)
        ratios = update_ratio(updates, weights, applied, list(kernels.values()))
        rest = update_ratio(updates, weights, applied, list(others.values()))
        moved = np.where(applied, norms(updates, list(blocks.values())), np.nan)
        turned = angular_update(updates, weights, applied, list(invariant.values()))
        rates = effective_learning_rate(rows.learning_rate, weights, applied, list(invariant.values()))
        self._series.append(
            step=rows.step,
            epoch=np.full(len(rows), self._epoch),
            learning_rate=rows.learning_rate,
            applied=applied,
            update_ratio=_narrow(kernels, ratios),
            update_ratio_other=_narrow(others, rest),
            update_norm=_narrow(blocks, moved),
            effective_rate=_narrow(invariant, turned),
            effective_learning_rate=_narrow(invariant, rates),
        )
        medians = finite_medians(ratios)
        self._look_at_the_band(list(kernels), ratios, medians, rows)
        return _scalars(medians)

    def _look_at_the_band(self, names: list[str], ratios: NDArray, all_medians: NDArray, rows: Rows) -> None:
        micro_batches = inner(self.model.optimizer).gradient_accumulation_steps or 1
        updates = rows.iteration // micro_batches  # the optimizer's own count before the step
        warm = rows.applied & (updates >= self.warmup)
        if 2 * warm.sum() < rows.applied.sum():
            warm = np.zeros_like(warm)  # an epoch of warm-up, for the most part
        medians = dict(zip(names, finite_medians(ratios[:, warm]).tolist(), strict=True))
        high, steps, judged = self.high, int(warm.sum()), medians
        warmup: int | None = self.warmup
        if not warm.any():
            high, steps, warmup = IN_WARMUP * self.high, int(rows.applied.sum()), None
            judged = dict(zip(names, all_medians.tolist(), strict=True))
        above = {name: median for name, median in judged.items() if median > high}
        if self.is_new("above", set(above)):
            self.report(messages.updates_too_large(above, steps, high, warmup))
        below = {name: median for name, median in medians.items() if median < self.low}
        if self.is_new("below", set(below)):
            self.report(messages.updates_too_small(below, int(warm.sum()), self.low, self.warmup))


def _kinds(model: keras.Model, variables: list[keras.Variable]) -> tuple[set[int], set[int], set[int]]:
    """The columns of kernels, of all others, and of the kernels that are scale-invariant."""
    kernels = {i for i, variable in enumerate(variables) if is_kernel(variable)}
    return kernels, set(range(len(variables))) - kernels, set(scale_invariant(model, variables))


def _of(blocks: Mapping[str, list[int]], wanted: set[int]) -> dict[str, list[int]]:
    """The wanted columns of each block that has any."""
    chosen = {name: [column for column in columns if column in wanted] for name, columns in blocks.items()}
    return {name: columns for name, columns in chosen.items() if columns}


def _narrow(names: Iterable[str], series: NDArray) -> Series:
    return dict(zip(names, series.astype(np.float32), strict=True))


def _scalars(medians: NDArray) -> dict[str, float]:
    """Of the blocks' medians."""
    with np.errstate(divide="ignore"):  # an update of zero is -inf on this scale
        logs = np.log10(medians[~np.isnan(medians)])
    if not len(logs):
        return dict.fromkeys(("update_ratio_log10", "update_ratio_log10_min", "update_ratio_log10_max"), float("nan"))
    return {
        "update_ratio_log10": float(np.median(logs)),
        "update_ratio_log10_min": float(logs.min()),
        "update_ratio_log10_max": float(logs.max()),
    }
