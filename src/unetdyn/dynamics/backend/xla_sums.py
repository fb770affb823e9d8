"""Sums over all variables in few kernels: what XLA would not join by itself."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

Tensor = Any

PARTS = 1024  # partial sums of each tensor; enough to fill a GPU, few enough to be added up in one kernel


def joint_sums(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    """Sum of each tensor, in float32; the tensors of a group are read together, in one pass.

    A sum for each of some hundred tensors is some hundred kernels, of two stages where a tensor is large, and starting
    them takes longer than what they do. Here each group has one kernel, which XLA joins with what makes the tensors,
    and all groups share the second stage. Each group is a single reduction with several operands. XLA lets a kernel
    overwrite its input only where it holds one reduction; otherwise it copies the weights.

    Args:
        groups: Tensors of one shape in each group, and as many in each.

    Returns:
        A float32 tensor of shape `(tensors in a group, groups)`.

    Example:
        >>> joint_sums([[jnp.ones(3), jnp.zeros(3)], [jnp.ones((2, 2))] * 2]).tolist()
        [[3.0, 4.0], [0.0, 4.0]]
    """
    partial = _partial_sums if weights_are_whole() else _sums
    parts = [partial([jnp.asarray(tensor, jnp.float32) for tensor in group]) for group in groups]
    rows = jnp.stack([part[place] for place in range(len(groups[0])) for part in parts])
    return jnp.sum(rows, axis=1).reshape(len(groups[0]), len(groups))


def weights_are_whole() -> bool:
    """Whether each device has all of every weight, and so of every gradient: then each computes any sum by itself.

    Under `DataParallel` the batch is split, and a gradient is added up before anything reads it. Where weights
    themselves are laid out over devices, as under `ModelParallel`, each is best summed as it lies: in another shape it
    would have to go from device to device.

    Example:
        >>> weights_are_whole()
        True
    """
    distribution = keras.distribution.distribution()
    return distribution is None or isinstance(distribution, keras.distribution.DataParallel)


def _sums(tensors: list[Tensor]) -> Sequence[Tensor]:
    return [tensor.sum().reshape(1) for tensor in tensors]


def _partial_sums(tensors: list[Tensor]) -> Sequence[Tensor]:
    """`PARTS` partial sums of each; of a small tensor its entries."""
    size = math.prod(tensors[0].shape)
    missing = PARTS - size if size < PARTS else -size % PARTS
    flat = [jnp.pad(tensor.reshape(-1), (0, missing)) for tensor in tensors]
    if size <= PARTS:
        return flat
    zeros = [jnp.zeros((), jnp.float32)] * len(flat)
    return jax.lax.reduce([tensor.reshape(PARTS, -1) for tensor in flat], zeros, _add, (1,))


def _add(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(a + b for a, b in zip(left, right, strict=True))
