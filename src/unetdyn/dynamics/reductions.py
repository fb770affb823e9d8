"""Squared norms, counts and snapshots of lists of tensors: the arithmetic of the tap, in float32 and without loops."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any

_CHUNK = 1 << 16  # one float32 accumulator over more entries than this is off by more than 1e-5 on PyTorch


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
    return ops.stack([zero if t is None else _sum_of_squares(ops.cast(t, "float32")) for t in tensors])


def _sum_of_squares(tensor: Tensor) -> Tensor:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return 2.0 * tf.nn.l2_loss(tensor)  # one kernel and no temporary; exact, as halving is
    return ops.sum(ops.square(tensor))


def _torch_squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """One fused call over chunks: `sum(square(t))` allocates a copy of each tensor, and takes 100 times as long."""
    import torch

    chunks, owners = [], []
    for owner, tensor in enumerate(tensors):
        if tensor is not None:
            pieces = tensor.reshape(-1).to(torch.float32).split(_CHUNK)
            chunks.extend(pieces)
            owners.extend([owner] * len(pieces))
    total = torch.zeros(len(tensors), device=chunks[0].device if chunks else None)
    if not chunks:
        return total
    index = torch.tensor(owners, device=total.device)
    return total.index_add_(0, index, torch.stack(torch._foreach_norm(chunks)).square())


def nonfinite_counts(tensors: Sequence[Tensor | None], squares: Tensor) -> Tensor:
    """Number of entries of each tensor that are NaN or infinite, as float32.

    Args:
        tensors: Tensors of any shape; `None` has none.
        squares: What `squared_norms(tensors)` gave. A tensor with a non-finite entry has a non-finite sum of squares,
            so where all are finite nothing needs to be counted.

    Returns:
        A float32 tensor of shape `(len(tensors),)`, exact below 2**24.

    Example:
        >>> gradient = keras.ops.array([1.0, float("nan"), float("inf")])
        >>> float(nonfinite_counts([gradient], squared_norms([gradient]))[0])
        2.0
    """

    def counted() -> Tensor:
        zero = ops.zeros((), "float32")
        counts = [
            zero if t is None else ops.sum(ops.cast(ops.logical_not(ops.isfinite(t)), "float32")) for t in tensors
        ]
        return ops.stack(counts)

    if keras.backend.backend() == "jax":
        return counted()  # XLA computes it in the same pass as the squares; a branch would make the host wait
    return ops.cond(ops.all(ops.isfinite(squares)), lambda: ops.zeros_like(squares), counted)


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


def squared_changes(variables: Sequence[keras.Variable], before: list[Tensor]) -> Tensor:
    """Sum of squares of `variable - before` for each variable, float32 of shape `(len(variables),)`.

    On PyTorch `before` is used up: the difference is taken in its place, so that no third copy of the weights exists.
    """
    if keras.backend.backend() == "torch":
        import torch

        wide = [tensor.to(torch.float32) for tensor in before]
        torch._foreach_sub_(wide, [v.value.detach() for v in variables])
        return squared_norms(wide)
    after = snapshot(variables)
    if keras.backend.backend() == "jax":
        after = [_as_stored(value) for value in after]
    return squared_norms([ops.cast(a, "float32") - ops.cast(b, "float32") for a, b in zip(after, before, strict=True)])


def _as_stored(value: Tensor) -> Tensor:
    """Rounded as it is in memory: within a step XLA may keep a half-precision weight in float32, and its update too."""
    import jax

    info = jax.numpy.finfo(value.dtype)
    return jax.lax.reduce_precision(value, info.nexp, info.nmant) if info.bits < 32 else value
