"""What the tap hands out: one row per training step, as NumPy arrays, and the columns it is packed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

Tensor = Any
Chunk = tuple[np.ndarray, dict[str, np.ndarray]]  # step numbers, and the columns by name


class Columns:
    """Names and widths of a row's columns, in order: packs tensors in the step and unpacks arrays on the host."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        self.widths = dict(widths)
        self.width = sum(self.widths.values())

    def pack(self, values: Mapping[str, Tensor]) -> Tensor:
        """One float32 row of shape `(width,)`."""
        return ops.concatenate(
            [ops.reshape(ops.cast(values[name], "float32"), (width,)) for name, width in self.widths.items()]
        )

    def unpack(self, table: np.ndarray) -> dict[str, np.ndarray]:
        """Rows `(steps, width)` to one array `(steps, columns)` for each name."""
        ends = np.cumsum(list(self.widths.values()))
        return dict(zip(self.widths, np.split(table, ends[:-1], axis=1), strict=True))


@dataclass(frozen=True)
class Rows:
    """What happened in each training step, in order, every step once.

    Squared norms are float32 as they were summed; a per-variable array has the columns of `OptimizerTap.variables`.

    Attributes:
        step: `(steps,)` int64, exact. Counts training steps from the optimizer's iteration at the first attach, skipped
            ones and accumulating ones included.
        iteration: `(steps,)` int64. The optimizer's own `iterations` before the step, which Keras does not move on when
            it skips one (micro-steps count, as in `optimizer._iterations`).
        learning_rate: `(steps,)`. The rate the update rule was given.
        skipped: `(steps,)` bool. True where a loss scale or a control forbade the update; `iteration` stood still.
        applied: `(steps,)` bool. False where a loss scale or a control skipped the update, and where the step only
            accumulated its gradient.
        grad_norm_sq: `(steps, variables)`. ‖g‖² of the gradient of the loss: unscaled, summed over replicas, before any
            clipping or control. Of the micro-batch under gradient accumulation.
        weight_norm_sq: `(steps, variables)`. ‖w‖² before the update.
        update_norm_sq: `(steps, variables)`. ‖Δw‖² of what the step did to the weights, all told: the rule's update,
            weight decay, constraints and the overwriting by a moving average.
        nonfinite: `(steps, variables)` int64. Entries of the gradient that are NaN or infinite.
        controlled: `(steps,)` bool. True where a control made another gradient of what came: where it changed ‖g‖² of
            a variable by more than rounding, 1 part in 10,000. Keras' own clipping is not a control.
        applied_grad_norm: `(steps,)`. Norm of the gradient that reached the update rule: after controls, after the mean
            over accumulated micro-batches, after Keras' clipping. NaN where nothing was applied.
        accumulated_grad_norm_sq: `(steps, variables)` under gradient accumulation, else None. ‖·‖² of the mean over the
            micro-batches after controls, before clipping; NaN at steps that only accumulate.
        replica_grad_norm_sq: `(steps, variables)` under `tf.distribute` with more than one replica, else None. Mean
            over replicas of ‖g_r‖², g_r the gradient of the mean loss over the replica's own share of the batch.
        extra: What this tap's probe measured: name → `(steps, width)`.
    """

    step: np.ndarray
    iteration: np.ndarray
    learning_rate: np.ndarray
    skipped: np.ndarray
    applied: np.ndarray
    grad_norm_sq: np.ndarray
    weight_norm_sq: np.ndarray
    update_norm_sq: np.ndarray
    nonfinite: np.ndarray
    controlled: np.ndarray
    applied_grad_norm: np.ndarray
    accumulated_grad_norm_sq: np.ndarray | None = None
    replica_grad_norm_sq: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.step)

    @property
    def grad_norm(self) -> np.ndarray:
        """`(steps,)` norm of the whole gradient before clipping, summed in float64."""
        return np.sqrt(self.grad_norm_sq.sum(axis=1, dtype=np.float64))


def rows_from(chunks: list[Chunk], prefix: str, variables: int) -> Rows:
    """One `Rows` from what was read in several goes; `prefix` marks the columns of the tap's own probe."""
    if not chunks:
        return _empty_rows(variables)
    steps = np.concatenate([numbers for numbers, _ in chunks])
    # A tap attached later can bring new columns; a name is read where every chunk has it.
    names = set.intersection(*(set(columns) for _, columns in chunks))
    joined = {name: np.concatenate([columns[name] for _, columns in chunks]) for name in names}
    return Rows(
        step=steps,
        iteration=steps - joined["behind"][:, 0].astype(np.int64),
        learning_rate=joined["learning_rate"][:, 0],
        skipped=joined["skipped"][:, 0] > 0,
        applied=joined["applied"][:, 0] > 0,
        grad_norm_sq=joined["grad_norm_sq"],
        weight_norm_sq=joined["weight_norm_sq"],
        update_norm_sq=joined["update_norm_sq"],
        nonfinite=joined["nonfinite"].astype(np.int64),
        controlled=joined["controlled"][:, 0] > 0,
        applied_grad_norm=np.sqrt(joined["applied_grad_norm_sq"][:, 0]),
        accumulated_grad_norm_sq=joined.get("accumulated_grad_norm_sq"),
        replica_grad_norm_sq=joined.get("replica_grad_norm_sq"),
        extra={name.removeprefix(prefix): joined[name] for name in sorted(names) if name.startswith(prefix)},
    )


def _empty_rows(variables: int) -> Rows:
    none, wide = np.zeros(0, np.float32), np.zeros((0, variables), np.float32)
    number = np.zeros(0, np.int64)
    return Rows(number, number, none, none > 0, none > 0, wide, wide, wide, wide.astype(np.int64), none > 0, none)
