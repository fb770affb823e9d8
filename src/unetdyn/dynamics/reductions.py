"""Squared norms, counts and snapshots of lists of tensors: the arithmetic of the tap, in float32 and without loops."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.sums import joint_sums, tensorflow_sums_of_squares

Tensor = Any

_CHUNK = 1 << 16  # one float32 accumulator over more entries than this is off by more than 1e-5 in PyTorch on a CPU


def squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """Sum of squares of each tensor, in float32 whatever the tensors' own type.

    Args:
        tensors: Tensors of any shape; `None` counts as zeros, as a variable that the loss does not reach.

    Returns:
        A float32 tensor of shape `(len(tensors),)`. It overflows to infinity where a norm exceeds 1.8e19.

    Example:
        >>> squared_norms([keras.ops.array([3.0, 4.0]), None]).shape[0]
        2
        >>> float(squared_norms([keras.ops.array([3.0, 4.0]), None])[0])
        25.0
    """
    if keras.backend.backend() == "torch":
        return _torch_squared_norms(tensors)
    zero = ops.zeros((), "float32")
    wide = [zero if t is None else ops.cast(t, "float32") for t in tensors]
    if keras.backend.backend() == "jax":
        return joint_sums([[ops.square(t)] for t in wide])[0]
    return tensorflow_sums_of_squares(wide)


def _torch_squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """One fused call over chunks: `sum(square(t))` allocates a copy of each tensor, and takes 100 times as long."""
    import torch

    chunks: list[Tensor] = []
    owners: list[int] = []
    for owner, tensor in enumerate(tensors):
        if tensor is not None:
            flat = tensor.reshape(-1).to(torch.float32)
            pieces = flat.split(_CHUNK) if flat.device.type == "cpu" else [flat]
            chunks.extend(pieces)
            owners.extend([owner] * len(pieces))
    total = torch.zeros(len(tensors), device=chunks[0].device if chunks else None)
    if not chunks:
        return total
    index = torch.tensor(owners).to(total.device, non_blocking=True)  # made there it would make the host wait
    return total.index_add_(0, index, torch.stack(torch._foreach_norm(chunks)).square())


def norms_and_nonfinite(tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Sum of squares of each tensor, as `squared_norms`, and number of its entries that are NaN or infinite.

    Args:
        tensors: Tensors of any shape; `None` counts as zeros.

    Returns:
        Two float32 tensors of shape `(len(tensors),)`; the counts are exact below 2**24.

    Example:
        >>> squares, counts = norms_and_nonfinite([keras.ops.array([1.0, float("nan"), float("inf")])])
        >>> float(counts[0])
        2.0
    """
    if keras.backend.backend() == "jax":
        zero = ops.zeros((), "float32")
        wide = [zero if t is None else ops.cast(t, "float32") for t in tensors]
        squares, counts = joint_sums([[ops.square(t), ops.logical_not(ops.isfinite(t))] for t in wide])
        return squares, counts
    squares = squared_norms(tensors)

    def counted() -> Tensor:
        zero = ops.zeros((), "float32")
        counts = [
            zero if t is None else ops.sum(ops.cast(ops.logical_not(ops.isfinite(t)), "float32")) for t in tensors
        ]
        return ops.stack(counts)

    # A tensor with an entry that is not finite has such a sum of squares: where all are finite nothing is counted.
    return squares, ops.cond(ops.all(ops.isfinite(squares)), lambda: ops.zeros_like(squares), counted)


def dense(gradient: Tensor) -> Tensor:
    """The gradient as one tensor: TensorFlow has an embedding's as slices, one for each time a row was used."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.convert_to_tensor(gradient)
    return gradient


def snapshot(variables: Sequence[keras.Variable]) -> list[Tensor]:
    """The present values of variables, safe from the update that follows.

    PyTorch updates weights in place, so there it is a copy; a TensorFlow variable must be read to become a value.
    """
    backend = keras.backend.backend()
    if backend == "torch":
        return [v.value.detach().clone() for v in variables]
    if backend == "tensorflow":
        import tensorflow as tf

        return [tf.convert_to_tensor(v.value) for v in variables]
    return [v.value for v in variables]


def weight_and_change_norms(
    variables: Sequence[keras.Variable], before: list[Tensor], before_norms: Tensor
) -> tuple[Tensor, Tensor]:
    """Sums of squares of the weights before the update and of its change, `variable - before`.

    Args:
        variables: As they are now.
        before: What `snapshot(variables)` gave before the update. On PyTorch it is used up: the difference is taken in
            its place, so that no third copy of the weights exists.
        before_norms: What `squared_norms(before)` gave.

    Returns:
        Two float32 tensors of shape `(len(variables),)`. On JAX the first is computed anew, together with the second
        in the kernel of the update; XLA drops `before_norms` where nothing else needs it.
    """
    if keras.backend.backend() == "torch":
        import torch

        wide = [tensor.to(torch.float32) for tensor in before]
        torch._foreach_sub_(wide, [v.value.detach() for v in variables])
        return before_norms, squared_norms(wide)
    after = snapshot(variables)
    if keras.backend.backend() == "jax":
        after = [_as_stored(value) for value in after]
    new, old = ([ops.cast(value, "float32") for value in values] for values in (after, before))
    if keras.backend.backend() == "jax":
        weights, changes = joint_sums([[ops.square(b), ops.square(a - b)] for a, b in zip(new, old, strict=True)])
        return weights, changes
    return before_norms, tensorflow_sums_of_squares(new, old)


def _as_stored(value: Tensor) -> Tensor:
    """Rounded as it is in memory: within a step XLA may keep a half-precision weight in float32, and its update too."""
    import jax

    info = jax.numpy.finfo(value.dtype)
    return jax.lax.reduce_precision(value, info.nexp, info.nmant) if info.bits < 32 else value
