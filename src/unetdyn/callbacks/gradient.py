"""Watch the gradient of every step, as a whole and block by block."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_band, plain
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.causes.exploding import EXPLODE
from unetdyn.analysis.diagnosis.causes.vanishing import VANISH
from unetdyn.analysis.diagnosis.messages import gradient as messages
from unetdyn.analysis.diagnosis.messages.gradient import NonFinite
from unetdyn.analysis.gradient_norms import SPIKE_FACTOR, SPIKE_WINDOW, Profile, check_spike, profile, spikes
from unetdyn.analysis.robust import finite_median, finite_medians
from unetdyn.analysis.update_ratios import norm, norms
from unetdyn.callbacks.step_callbacks import StepMonitor
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics import Rows
from unetdyn.dynamics.optimizers import has_loss_scale


class GradientMonitor(StepMonitor):
    """Measures the gradient's norm at every step, and says when it explodes, vanishes, spikes or isn't a number.

    ‖g‖ = sqrt(Σ gᵢ²), over all variables and over each block's, of the gradient of the loss: of the whole batch,
    unscaled, before clipping; of each micro-batch under gradient accumulation. It costs no second pass and no waiting:
    the norms are taken inside the compiled step and read once an epoch. Training is not changed.

    At the end of each epoch `logs` gets, over the epoch's steps:

    | key | what |
    | --- | --- |
    | `grad_norm` | median of the finite norms |
    | `grad_norm_max` | largest norm |
    | `grad_nonfinite` | steps with NaN or infinite entries |
    | `grad_exploding` | steps whose gradient is finite and whose norm is above `explode` |
    | `grad_vanishing` | steps whose norm is below `vanish` |
    | `grad_vanishing_blocks` | blocks whose median norm is below `vanish` |
    | `grad_spikes` | steps that are spikes (not with `spike=None`) |
    | `grad_clipped` | steps whose gradient was made smaller by clipping or a control |
    | `grad_norm/BLOCK` | median of the block's norms (with `blocks_in_logs`) |

    A message says each kind of trouble in the epoch in which it begins, and again when it comes back or reaches further
    blocks. An epoch 0 starts anew; a `fit` with `initial_epoch` > 0 carries on.

    Args:
        explode: A norm above it explodes; for the whole gradient (a block's is never larger). Default 10, the studies'.
            Norms depend on the loss and the number of weights: compare with what the same network shows when it learns.
        vanish: A norm below it vanishes; for the whole gradient and each block. Default 1e-6, the studies'.
        spike: How many robust standard deviations of its logarithm a norm must be above the running median to be a
            spike; see `analysis.gradient_norms`. It needs no knowledge of the loss's scale. Default 6; None for no such
            search.
        window: Steps of that running median, ≥ 4. Default 100.
        blocks_in_logs: Also each block's median into `logs`, for TensorBoard. Default False: a deep U-Net has twenty.
        verbose: 1 prints messages as they come; 0 is silent.
        name: The name under which `RunRecorder` keeps the record.

    Attributes:
        record: Dictionary of arrays with one element a step: `step` (counts on over epochs and fits), `epoch`,
            `grad_norm`, `applied_grad_norm` (after controls, accumulation and clipping; NaN where nothing was applied),
            `applied`, `nonfinite` (entries), `spike`; `block_grad_norm`, a dictionary of such arrays by block; and the
            numbers `explode` and `vanish`.
        first_nonfinite: `NonFinite`, or None.
        findings: (epoch, `unetdyn.analysis.diagnosis.Finding`) pairs, printed or not.
        messages: (epoch, sentence) pairs: the same as a person reads it.

    Raises:
        ValueError: If a threshold or `window` is out of range.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.1))
        >>> monitor = GradientMonitor()
        >>> x = np.full((2, 1), 3.0)
        >>> _ = model.fit(x, 10 * x, batch_size=1, epochs=1, verbose=0, callbacks=[monitor])
        >>> [round(float(value), 1) for value in monitor.record["grad_norm"]]
        [189.7, 189.7]
        >>> monitor.messages[0][1].split(", at most")[0]
        'Exploding gradients: the norm was above 10 at 2 of 2 steps, first at step 0 (190)'

    References:
        Pascanu et al., On the difficulty of training recurrent neural networks (2013), arXiv:1211.5063, for exploding
        and vanishing; the default thresholds are those of the studies (docs/studies.md).
    """

    declaration = declarations.GRADIENT

    def __init__(
        self,
        explode: float = EXPLODE,
        vanish: float = VANISH,
        spike: float | None = SPIKE_FACTOR,
        window: int = SPIKE_WINDOW,
        blocks_in_logs: bool = False,
        verbose: int = 0,
        name: str = "gradient",
    ) -> None:
        check_band("vanish", vanish, "explode", explode)
        check_spike(1.0 if spike is None else spike, window)
        self.explode = plain(explode)
        self.vanish = plain(vanish)
        self.spike = plain(spike)
        self.window = plain(window)
        self.blocks_in_logs = blocks_in_logs
        super().__init__(name, verbose)

    @property
    def _settings(self) -> dict[str, Any]:
        return {"explode": np.array(self.explode), "vanish": np.array(self.vanish)}

    def profile(self, last: int | None = None) -> Profile:
        """Median norm of each block in the order of the network, and the first encoder's over the bottleneck's.

        Args:
            last: How many of the last steps count; default all.
        """
        return profile(self._series.arrays["block_grad_norm"], last)

    def _restart(self) -> None:
        super()._restart()
        self.first_nonfinite: NonFinite | None = None
        self._new_optimizer()

    def get_state(self) -> dict[str, Any]:
        """With the norms that spikes are compared with, and where it first was not finite."""
        first = None if self.first_nonfinite is None else asdict(self.first_nonfinite)
        return super().get_state() | {"usual": self._usual, "first_nonfinite": first}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        super().set_state(state)
        first = state["first_nonfinite"]
        self._usual, self.first_nonfinite = state["usual"], None if first is None else NonFinite(**first)

    def _new_optimizer(self) -> None:
        """What is usual is learned anew: gradients of another loss are of another size."""
        self._usual = np.zeros(0)

    def _empty_record(self) -> StepRecord:
        whole, number, yes = np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
        return StepRecord(
            step=number,
            epoch=number,
            grad_norm=whole,
            applied_grad_norm=whole,
            applied=yes,
            nonfinite=number,
            spike=yes,
            block_grad_norm={},
        )

    def _measure(self, rows: Rows, blocks: dict[str, list[int]]) -> dict[str, float]:
        of_blocks = norms(rows.grad_norm_sq, list(blocks.values()))
        by_block = dict(zip(blocks, of_blocks, strict=True))
        medians = dict(zip(blocks, finite_medians(of_blocks).tolist(), strict=True))
        spiking = self._spikes(rows.grad_norm)
        self._series.append(
            step=rows.step,
            epoch=np.full(len(rows), self._epoch),
            grad_norm=rows.grad_norm.astype(np.float32),
            applied_grad_norm=rows.applied_grad_norm,
            applied=rows.applied,
            nonfinite=rows.nonfinite.sum(axis=1),
            spike=spiking,
            block_grad_norm=dict(zip(blocks, of_blocks.astype(np.float32), strict=True)),
        )
        self._look_for_nonfinite(rows, blocks)
        self._look_for_explosions(rows, by_block)
        self._look_for_vanishing(rows, medians)
        if self.is_new("spike", {"whole"} if spiking.any() else set()):
            self.report(messages.gradient_spikes(rows.step, rows.grad_norm, by_block, spiking, self.spike, self.window))
        return self._scalars(rows, medians, spiking)

    def _spikes(self, norms: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of these steps, with those before them as what is usual."""
        if self.spike is None:
            return np.zeros(len(norms), bool)
        known = np.concatenate([self._usual, norms])
        found = spikes(known, self.spike, self.window, since=len(self._usual))
        self._usual = known[np.isfinite(known) & (known > 0)][-self.window :]
        return found

    def _scalars(self, rows: Rows, medians: dict[str, float], spiking: NDArray[np.bool_]) -> dict[str, float]:
        whole = rows.grad_norm
        scalars = {
            "grad_norm": finite_median(whole),
            "grad_norm_max": float(np.fmax.reduce(whole)),
            "grad_nonfinite": float((~rows.finite).sum()),
            "grad_exploding": float((whole[rows.finite] > self.explode).sum()),
            "grad_vanishing": float((whole < self.vanish).sum()),
            "grad_vanishing_blocks": float(sum(median < self.vanish for median in medians.values())),
            "grad_clipped": float(_clipped(rows).sum()),
        }
        if self.spike is not None:
            scalars["grad_spikes"] = float(spiking.sum())
        if self.blocks_in_logs:
            scalars |= {f"grad_norm/{name}": median for name, median in medians.items()}
        return scalars

    def _look_for_nonfinite(self, rows: Rows, blocks: dict[str, list[int]]) -> None:
        where = np.flatnonzero(~rows.finite)
        if not len(where):
            self.is_new("nonfinite", set())
            return
        found = self._located(rows, int(where[0]), blocks)
        self.first_nonfinite = self.first_nonfinite or found
        skipped = bool(rows.skipped[where].all())
        if self.is_new("nonfinite", {"skipped" if skipped else "used"}):
            scaled = has_loss_scale(self.model.optimizer)
            self.report(messages.nonfinite_gradients(found, len(where), len(rows), skipped, scaled))

    def _located(self, rows: Rows, row: int, blocks: dict[str, list[int]]) -> NonFinite:
        counts = rows.nonfinite[row]
        block_of = {column: name for name, columns in blocks.items() for column in columns}
        ordered = [column for columns in blocks.values() for column in columns if counts[column]]
        reached = (rows.grad_norm_sq[row] != 0).sum()  # NaN is not zero either
        return NonFinite(
            step=int(rows.step[row]),
            epoch=self._epoch,
            variable=self.variables[ordered[-1]].path,
            block=block_of[ordered[-1]],
            entries=int(counts[ordered[-1]]),
            variables=tuple(self.variables[column].path for column in ordered),
            everywhere=len(ordered) == reached,
            applied=not rows.skipped[row],
        )

    def _look_for_vanishing(self, rows: Rows, medians: dict[str, float]) -> None:
        named = {"the whole gradient": finite_median(rows.grad_norm)}
        named |= {f"block {name}": median for name, median in medians.items()}
        below = {where: median for where, median in named.items() if median < self.vanish}
        if self.is_new("vanishing", set(below)):
            self.report(messages.vanishing_gradients(below, len(medians), self.vanish, len(rows)))

    def _look_for_explosions(self, rows: Rows, by_block: dict[str, NDArray[np.float64]]) -> None:
        if not (rows.grad_norm[rows.finite] > self.explode).any():
            self.is_new("exploding", set())
            return
        by_block = {name: _of_finite(rows, values) for name, values in by_block.items()}
        blocks_above = [name for name, values in by_block.items() if (values > self.explode).any()]
        if self.is_new("exploding", {"whole", *blocks_above}):
            whole = _of_finite(rows, rows.grad_norm)
            self.report(messages.exploding_gradients(rows.step, whole, by_block, self.explode))


def _of_finite(rows: Rows, norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN at steps whose gradient has entries that are not finite: the infinite norm of such a step is no explosion."""
    return np.where(rows.finite, norms, np.nan)


def _clipped(rows: Rows) -> NDArray[np.bool_]:
    """Steps that applied less than the gradient they had, beyond rounding; under accumulation also those that added
    another gradient than they had.
    """
    if rows.accumulated_grad_norm_sq is None:
        return rows.applied & (rows.applied_grad_norm < rows.grad_norm * (1 - 1e-4))
    smaller = rows.applied_grad_norm < norm(rows.accumulated_grad_norm_sq) * (1 - 1e-4)
    return rows.controlled | (rows.applied & smaller)
