"""The tap's rows, one for each training step: written on the device, read in chunks, handed out as NumPy arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn._warnings import warn
from unetdyn.dynamics.backend import backend

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
        """Rows `(steps, width)` to one array `(steps, columns)` for each name: parts of `table`, not to be changed."""
        ends = np.cumsum(list(self.widths.values()))
        return dict(zip(self.widths, np.split(table, ends[:-1], axis=1), strict=True))


class Ring:
    """The last `capacity` rows of float32 columns, and how many rows were ever written.

    Args:
        capacity: Number of rows kept.
        width: Number of columns.
        count: What the counter starts from; a row's number is the counter's value when it was written. An integer
            variable: a float32 one stops counting at 2**24.
        add_variable: Makes a variable from `(shape, dtype=..., initial=...)`.
    """

    def __init__(self, capacity: int, width: int, count: int, add_variable: Callable[..., keras.Variable]) -> None:
        self.capacity = capacity
        self.table = add_variable((capacity, width))
        self.count = add_variable((), dtype="int", initial=count)
        self.next = count  # the number of the first row that has not been taken

    def begin(self, count: int) -> None:
        """Number the next row from here on; what was not taken is gone."""
        self.count.assign(count)
        self.next = count

    def write(self, row: Tensor) -> None:
        """Put `row`, of shape `(width,)`, in place `count mod capacity`; called inside the compiled step."""
        place = self.count.value % self.capacity
        backend.write_row(self.table, place, row)
        backend.count_up(self.count)

    def take(self, table: Any, count: Any) -> tuple[np.ndarray, np.ndarray]:
        """The rows written since the last `take`, in order.

        Args:
            table: The value of `self.table` now.
            count: The value of `self.count` now.

        Returns:
            Row numbers `(rows,)` int64 and rows `(rows, width)` float32.
        """
        newest = int(keras.ops.convert_to_numpy(count))
        oldest = max(self.next, newest - self.capacity)
        if oldest > self.next:
            warn(
                "steps.overwritten",
                f"{oldest - self.next} training steps were overwritten before they were read: the ring holds "
                f"{self.capacity}. Read more often, or attach the tap with a larger `capacity`.",
                stacklevel=4,
            )
        self.next = newest
        numbers = np.arange(oldest, newest, dtype=np.int64)
        if not len(numbers):
            return numbers, np.zeros((0, self.table.shape[1]), np.float32)
        rows = backend.read_rows(table, numbers % self.capacity)
        rows.flags.writeable = False  # all taps are given parts of it
        return numbers, rows


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
        skipped: `(steps,)` bool. True where a loss scale or a control withheld the gradient, from the weights and from
            what is accumulated.
        applied: `(steps,)` bool. False where the step was skipped, and where it only accumulated its gradient.
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

    @cached_property
    def grad_norm(self) -> np.ndarray:
        """`(steps,)` norm of the whole gradient before clipping, summed in float64."""
        return np.sqrt(self.grad_norm_sq.sum(axis=1, dtype=np.float64))

    @cached_property
    def finite(self) -> np.ndarray:
        """`(steps,)` bool. Whether all entries of the gradient were."""
        return np.logical_not(self.nonfinite.any(axis=1))


def rows_from(chunks: list[Chunk], prefix: str, variables: int) -> Rows:
    """One `Rows` from what was read in several goes; `prefix` marks the columns of the tap's own probe."""
    if not chunks:
        return _empty_rows(variables)
    steps, joined = chunks[0] if len(chunks) == 1 else _joined(chunks)
    return Rows(
        step=steps,
        iteration=steps - joined["skipped_before"][:, 0].astype(np.int64),
        learning_rate=joined["learning_rate"][:, 0].copy(),  # who keeps it keeps no table
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
        extra={name.removeprefix(prefix): joined[name].copy() for name in sorted(joined) if name.startswith(prefix)},
    )


def _joined(chunks: list[Chunk]) -> Chunk:
    """A tap attached later can bring new columns; a name is read where every chunk has it."""
    names = set.intersection(*(set(columns) for _, columns in chunks))
    columns = {name: np.concatenate([columns[name] for _, columns in chunks]) for name in names}
    return np.concatenate([numbers for numbers, _ in chunks]), columns


def _empty_rows(variables: int) -> Rows:
    none, wide = np.zeros(0, np.float32), np.zeros((0, variables), np.float32)
    number, no = np.zeros(0, np.int64), np.zeros(0, bool)
    return Rows(number, number, none, no, no, wide, wide, wide, wide.astype(np.int64), no, none)
