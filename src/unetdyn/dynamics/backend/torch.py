"""PyTorch: every operation runs at once, on tensors that are changed in place."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import torch
from keras import ops

from unetdyn.dynamics.backend.common import count_nonfinite, dense_times, wide
from unetdyn.dynamics.backend.pinned_torch import can_be_pinned, pinned_copies

Tensor = Any
Gradients = list[Tensor | None]

_CHUNK = 1 << 16  # one float32 accumulator over more entries than this is off by more than 1e-5 in PyTorch on a CPU


def replica_count() -> int:
    """One: gradients are whole."""
    return 1


def sum_over_replicas(tensors: list[Tensor]) -> list[Tensor]:
    """There is one replica."""
    return tensors


def dense(gradient: Tensor) -> Tensor:
    """Gradients are dense already."""
    return gradient


def own_product(gradient: Tensor) -> Tensor:
    """There is no graph that could round the update otherwise."""
    return gradient


def settled(gradients: Sequence[Tensor | None]) -> Gradients:
    """Gradients are in the order of their axes already."""
    return list(gradients)


def snapshot(variables: Sequence[keras.Variable]) -> list[Tensor]:
    """Copies, in one call: PyTorch updates weights in place."""
    values = [v.value.detach() for v in variables]
    copies = [torch.empty_like(value) for value in values]
    if values:  # PyTorch takes no empty lists
        torch._foreach_copy_(copies, values)
    return copies


def before_update(variables: Sequence[keras.Variable], values: list[Tensor]) -> list[Tensor]:
    """The values."""
    del variables
    return values


def joined_places(variables: Sequence[keras.Variable]) -> list[int]:
    """Variables stay on the device."""
    del variables
    return []


def squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """One fused call over chunks: `sum(square(t))` allocates a copy of each tensor, and takes 100 times as long."""
    chunks: list[Tensor] = []
    owners: list[int] = []
    for owner, tensor in enumerate(tensors):
        if tensor is not None:
            flat = tensor.reshape(-1).to(torch.float32)
            pieces = flat.split(_CHUNK) if flat.device.type == "cpu" else [flat]
            chunks.extend(pieces)
            owners.extend([owner] * len(pieces))
    if not chunks:
        return torch.zeros(len(tensors))
    return _totals(torch.stack(torch._foreach_norm(chunks)).square(), owners, len(tensors))


def _totals(values: Tensor, owners: list[int], count: int) -> Tensor:
    """Σ of the values of each owner, `(count,)`."""
    if owners == list(range(count)):
        return values
    index = torch.tensor(owners).to(values.device, non_blocking=True)  # made there it would make the host wait
    return torch.zeros(count, device=values.device).index_add_(0, index, values)


def norms_and_nonfinite(tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """A CPU counts where there is anything to count; elsewhere the host would have to wait to know, so all is counted.

    Each call costs the host more than the device: one for all tensors, which NaN and infinity times 0 tell apart.
    """
    squares = squared_norms(tensors)
    present = {owner: tensor for owner, tensor in enumerate(tensors) if tensor is not None}
    if _on_host(squares) or not present:
        return squares, count_nonfinite(tensors, squares)
    bad = _joined(list(present.values())).mul_(0).ne(0).to(torch.float32)
    counts = torch._foreach_norm(bad.split([tensor.numel() for tensor in present.values()]), ord=1)
    return squares, _totals(torch.stack(counts), list(present), len(tensors))


def _on_host(tensor: Tensor) -> bool:
    """Whether the host computes it, and so waits for nothing when it looks at it."""
    return tensor.device.type == "cpu"


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """All entries in one vector, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def weight_and_change_norms(
    variables: Sequence[keras.Variable], before: list[Tensor], before_norms: Tensor
) -> tuple[Tensor, Tensor]:
    """The difference takes the place of `before`; the norms of the weights are known."""
    changes = [tensor.to(getattr(torch, wide(tensor.dtype))) for tensor in before]
    torch._foreach_sub_(changes, [v.value.detach() for v in variables])
    return before_norms, squared_norms(changes)


def times(gradient: Tensor, factor: Tensor) -> Tensor:
    """Gradients are dense already."""
    return dense_times(gradient, factor)


def product_with_last(last: Sequence[keras.Variable], tensors: Sequence[Tensor]) -> Tensor:
    """One call for all copies; an `assign` for each costs the host more than the copying."""
    before = [variable.value.detach() for variable in last]
    total = _scalar_product(list(zip(tensors, before, strict=True)))
    if before:
        torch._foreach_copy_(before, [tensor.detach() for tensor in tensors])
    return total


def _scalar_product(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """`sum(left * right)` would allocate a copy of each. Beside the host, one call for all takes the least time."""
    if pairs and not _on_host(pairs[0][0]):
        lefts, rights = (_joined(tensors).to(torch.float32) for tensors in zip(*pairs, strict=True))
        return lefts.mul_(rights).sum()
    pairs = [(ops.cast(left, "float32"), ops.cast(right, "float32")) for left, right in pairs]
    products = [torch.dot(left.detach().reshape(-1), right.detach().reshape(-1)) for left, right in pairs]
    return ops.sum(ops.stack(products)) if products else ops.zeros((), "float32")


def finite_after_step(model: keras.Model) -> Callable[[Sequence[keras.Variable]], AbstractContextManager] | None:
    """Seven calls a step; five for each assignment took longer than all else that is measured."""
    return None if model.jit_compile else _finite_after


@contextlib.contextmanager
def _finite_after(variables: Sequence[keras.Variable]) -> Iterator[None]:
    before = snapshot(variables)
    try:
        yield
    finally:
        values = [v.value.detach() for v in variables]
        if values:
            now, old = _joined(values), _joined(before)
            finite = torch.where(now.abs() < float("inf"), now, old).split([value.numel() for value in values])
            torch._foreach_copy_(values, [part.view_as(value) for part, value in zip(finite, values, strict=True)])


def apply_unless(
    skip: Tensor | None,
    apply: Callable[[Gradients], Any],
    gradients: Gradients,
    variables: Sequence[keras.Variable],
) -> Any:
    """The host waits for `skip` and decides."""
    del variables
    return apply(gradients) if skip is None or not skip else None


def behind(gradients: Tensor) -> AbstractContextManager:
    """Everything is done in turn."""
    del gradients
    return nullcontext()


def to_host(values: Sequence[Tensor]) -> list[np.ndarray]:
    """By way of page-locked memory where that can be had. Else one after another: Keras gives a copy of each."""
    tensors = [value.value if isinstance(value, keras.Variable) else value for value in values]
    found = pinned_copies({place: each for place, each in enumerate(tensors) if can_be_pinned(each)})
    return [found[place] if place in found else ops.convert_to_numpy(each) for place, each in enumerate(values)]


def write_row(table: keras.Variable, place: Tensor, row: Tensor) -> None:
    """Written in place."""
    table.value.detach().index_copy_(0, place.reshape(1).long(), row.detach()[None])


def count_up(variable: keras.Variable) -> None:
    """In place; Keras' `assign_add` brings the 1 to the device, and waits for it."""
    variable.value.detach().add_(1)


def read_rows(table: Tensor, places: np.ndarray) -> np.ndarray:
    """Only these go to the host."""
    return table.detach()[torch.from_numpy(places).to(table.device)].cpu().numpy()


def can_read_variables() -> bool:
    """Variables always hold their values."""
    return True


def as_setting(value: Tensor) -> float:
    """PyTorch's fused updates take numbers: the host waits for it."""
    return float(value)


def outside_the_graph() -> AbstractContextManager:
    """There is no graph."""
    return nullcontext()


def builds_optimizer_beforehand(model: keras.Model) -> bool:
    """Keras builds it at the first step."""
    del model
    return False


def optimizer_carries_variables() -> bool:
    """Variables are state of their own."""
    return False


def optimizer_values(arguments: Sequence[Any]) -> Sequence[Any] | None:
    """Variables always hold their values."""
    del arguments
    return None


def give_values_back(model: keras.Model) -> None:
    """Variables always hold their values."""


def between_steps(model: keras.Model, arguments: Sequence[Any], change: Callable[[], None]) -> Sequence[Any]:
    """A train function is called with the data alone."""
    del model
    change()
    return arguments


def draw_without_training(model: keras.Model, arguments: Sequence[Any], logs: Any) -> tuple[Any, Any]:
    """A train function is called with batches that have been drawn."""
    del model
    return logs, arguments[0][-1]


def stateless_apply(optimizer: keras.Optimizer, measured: Callable[[], Any]) -> None:
    """Only JAX' trainer calls it."""
    del optimizer, measured


def without_effects(model: keras.Model, look: Callable[..., Any]) -> Callable[..., Any]:
    """Without gradients; assignments end in Keras' scope and not in the variables.

    What PyTorch itself keeps is set back: its random state, from which a dropout without a seed draws, and the buffers
    of its own modules, such as a `torch.nn.BatchNorm2d` within a `TorchModuleWrapper`.
    """

    def scoped(*arrays: Tensor) -> Any:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        with (
            torch.no_grad(),
            torch.random.fork_rng(devices=devices),
            _buffers_kept(model),
            keras.StatelessScope(initialize_variables=False),
        ):
            return look(*arrays)

    return scoped


@contextlib.contextmanager
def _buffers_kept(model: keras.Model) -> Iterator[None]:
    wrappers = [each for each in model._flatten_layers() if isinstance(each, keras.layers.TorchModuleWrapper)]
    buffers = {id(buffer): buffer for wrapper in wrappers for buffer in wrapper.module.buffers()}
    before = [(buffer, buffer.clone()) for buffer in buffers.values()]
    try:
        yield
    finally:
        for buffer, values in before:
            buffer.copy_(values)
