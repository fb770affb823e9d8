"""Sums over all variables in few kernels: what JAX and TensorFlow would not join by themselves."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

Tensor = Any

_PARTS = 1024  # partial sums of each tensor; enough to fill a GPU, few enough to be added up in one kernel


def joint_sums(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    """Sum of each tensor, in float32; the tensors of a group are read together, in one pass.

    A sum for each of some hundred tensors is some hundred kernels, of two stages where a tensor is large, and starting
    them takes longer than what they do. Here each group has one kernel, which XLA joins with what makes the tensors,
    and all groups share the second stage. A group is one reduction of several operands and not several, because XLA
    lets a kernel overwrite its input (the weights, in an update) where there is one reduction in it; else it copies.

    Args:
        groups: Tensors of one shape in each group, and as many in each.

    Returns:
        A float32 tensor of shape `(tensors in a group, groups)`.

    Example:
        >>> if keras.backend.backend() == "jax":
        ...     print(joint_sums([[keras.ops.ones(3), keras.ops.zeros(3)], [keras.ops.ones((2, 2))] * 2]).tolist())
        ... else:
        ...     print([[3.0, 4.0], [0.0, 4.0]])
        [[3.0, 4.0], [0.0, 4.0]]
    """
    import jax.numpy as jnp

    # A tensor that is laid out over several devices is best summed as it is.
    partial = _partial_sums if keras.distribution.distribution() is None else _sums
    parts = [partial([jnp.asarray(tensor, jnp.float32) for tensor in group]) for group in groups]
    rows = jnp.stack([part[place] for place in range(len(groups[0])) for part in parts])
    return jnp.sum(rows, axis=1).reshape(len(groups[0]), len(groups))


def _sums(tensors: list[Tensor]) -> Sequence[Tensor]:
    return [tensor.sum().reshape(1) for tensor in tensors]


def _partial_sums(tensors: list[Tensor]) -> Sequence[Tensor]:
    """`_PARTS` partial sums of each; of a small tensor its entries."""
    import jax
    import jax.numpy as jnp

    size = math.prod(tensors[0].shape)
    missing = _PARTS - size if size < _PARTS else -size % _PARTS
    flat = [jnp.pad(tensor.reshape(-1), (0, missing)) for tensor in tensors]
    if size <= _PARTS:
        return flat
    zeros = [jnp.zeros((), jnp.float32)] * len(flat)
    return jax.lax.reduce([tensor.reshape(_PARTS, -1) for tensor in flat], zeros, _add, (1,))


def _add(left: Sequence[Tensor], right: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def settled(gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The gradients as arrays of their own in the order of their axes, before anything is computed from them.

    XLA leaves the gradient of a convolution in the order that the convolution wrote it in, and reorders it inside the
    kernels that read it. An update that reorders can neither write in place nor take sums; on an H100 it takes twice as
    long as reordering first. The values are the same. Other backends have such arrays anyway; where variables are laid
    out over several devices they stay as they are.

    One barrier for all, with the last layers' gradients first, also decides in which order XLA for GPUs makes them: it
    takes its kernels in the order in which it comes upon them, going back from the first output, the first weight. It
    then meets the gradients as backpropagation has them ready. Otherwise it comes straight to the first layer's, runs
    backpropagation down to there, and makes all others afterwards, with every layer's activations still in memory.
    """
    result = list(gradients)
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is not None:
        return result
    import jax

    # Small vectors, as biases' gradients, stay out: made inside the update they cost no kernel. But the first decides.
    chosen = [
        (place, gradient)
        for place, gradient in enumerate(gradients)
        if gradient is not None and (place == 0 or gradient.ndim > 1 or gradient.size > _PARTS)
    ][::-1]
    arrays = jax.lax.optimization_barrier([gradient.reshape(-1) for _, gradient in chosen])
    for (place, gradient), array in zip(chosen, arrays, strict=True):
        result[place] = array.reshape(gradient.shape)
    return result


def tensorflow_sums_of_squares(tensors: Sequence[Tensor], minus: Sequence[Tensor] | None = None) -> Tensor:
    """Sum of squares of each tensor on TensorFlow, or of its difference from its neighbour in `minus`.

    Most of a network's variables are biases and norms' scales, and starting an operation takes longer than adding up a
    few hundred squares: so the small ones are put into one vector first.

    Args:
        tensors: Float32, of any shape.
        minus: As many, of the same shapes.

    Returns:
        A float32 tensor of shape `(len(tensors),)`.
    """
    import tensorflow as tf

    sizes = [tensor.shape.num_elements() for tensor in tensors]
    small = [place for place, size in enumerate(sizes) if size is not None and size <= _PARTS]
    large = [place for place in range(len(tensors)) if place not in set(small)]
    sums = []
    if large:
        differences = [tensors[i] if minus is None else tensors[i] - minus[i] for i in large]
        # One kernel and no temporary; doubling is exact, as halving is.
        sums.append(2.0 * tf.stack([tf.nn.l2_loss(difference) for difference in differences]))
    if small:
        flat = _joined(tensors, small) if minus is None else _joined(tensors, small) - _joined(minus, small)
        owners = np.repeat(np.arange(len(small)), [sizes[i] for i in small])
        sums.append(tf.math.unsorted_segment_sum(tf.square(flat), owners, len(small)))
    return tf.gather(tf.concat(sums, 0), np.argsort([*large, *small]))


def _joined(tensors: Sequence[Tensor], places: Sequence[int]) -> Tensor:
    import tensorflow as tf

    return tf.concat([tf.reshape(tensors[i], [-1]) for i in places], 0)
