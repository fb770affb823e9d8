"""Keras' layers on JAX, written so that XLA makes fewer passes through memory of them.

As in `torch_layers`, a class here computes what Keras' class of the same name does, to rounding, with the same
configuration and the same variables. In a file it is Keras' class (`keras_names.py`). Whatever else Keras' layer can do
(other axes, masks, other strides, windows that overlap) is left to it.

What each saves: `benchmarks/layer_ways.py`, docs/performance.md.
"""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from unetdyn.dynamics.backend.xla_sums import weights_are_whole
from unetdyn.models.keras_names import named_as_keras_own

Tensor = Any

_as_keras_own = partial(named_as_keras_own, backend="jax")

FEW = 4
"""Outputs of a 1×1 convolution up to which sums of products are faster than what XLA calls for a matrix product."""


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel in one pass over the pixels; Keras takes the variance in a second.

    The squares are of differences to one of the pixels, so that nothing cancels where a channel's mean is large beside
    its standard deviation.

    Args:
        x: `(..., channels)`, float32 or float64.

    Returns:
        Two tensors of shape `(channels,)`.

    Example:
        >>> [value.tolist() for value in moments(jnp.array([[1001.0], [1003.0]]))]
        [[1002.0], [1.0]]
    """
    axes = tuple(range(x.ndim - 1))
    pixel = jax.lax.stop_gradient(x[(0,) * len(axes)])
    differences = x - pixel
    mean, square = jnp.mean(differences, axes), jnp.mean(jnp.square(differences), axes)
    return pixel + mean, jnp.maximum(square - jnp.square(mean), 0)


@_as_keras_own
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch norm over the last axis, whose statistics take one pass."""

    def _moments(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        last = self.axis in (-1, len(inputs.shape) - 1)
        if mask is not None or not last or self.synchronized or not inputs.size:
            return super()._moments(inputs, mask)
        return moments(inputs)


def _windows(x: Tensor, window: Sequence[int]) -> Tensor:
    """`(batch, size / window, window, …, channels)`: each axis of pixels as two."""
    pairs = [n for size, step in zip(x.shape[1:-1], window, strict=True) for n in (size // step, step)]
    return x.reshape(x.shape[0], *pairs, x.shape[-1])


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def pooled(x: Tensor, window: tuple[int, ...]) -> Tensor:
    """The maximum of windows that lie side by side; the gradient goes to the first pixel that has it.

    XLA writes down for each maximum where it was, by axis, and scatters the gradient; here the place is one small
    integer, and the gradient is a choice at each pixel, which XLA joins with what is done with it.

    Args:
        x: `(batch, *sizes, channels)`; `window` divides the sizes.
        window: Pixels along each axis.

    Returns:
        `(batch, *sizes / window, channels)`.

    Example:
        >>> pooled(jnp.arange(8.0).reshape(1, 2, 4, 1), (2, 2)).ravel().tolist()
        [5.0, 7.0]
    """
    return _pooled(x, window)[0]


def _pooled(x: Tensor, window: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The maxima, and the number of the pixel in its window that is the first to have it."""
    apart = _windows(x, window)
    pixels = [
        apart[(slice(None), *(item for at in place for item in (slice(None), at)), slice(None))]
        for place in np.ndindex(*window)
    ]
    most, first = pixels[0], jnp.zeros(pixels[0].shape, jnp.int8)
    for number, pixel in enumerate(pixels[1:], 1):
        first = jnp.where(pixel > most, jnp.int8(number), first)
        most = jnp.maximum(most, pixel)  # NaN stays
    return most, first


@pooled.defjvp
def _pooled_jvp(window: tuple[int, ...], primals: tuple[Tensor], tangents: tuple[Tensor]) -> tuple[Tensor, Tensor]:
    (x,), (change,) = primals, tangents
    most, first = _pooled(x, window)
    within = tuple(range(2, 2 * len(window) + 1, 2))
    numbers = jnp.arange(prod(window), dtype=jnp.int8).reshape([n for step in window for n in (1, step)] + [1])
    chosen = jnp.expand_dims(first, within) == numbers
    return most, jnp.sum(jnp.where(chosen, _windows(change, window), 0), within)


def _pools(layer: Any, inputs: Tensor) -> Tensor | None:
    """None where windows overlap, leave pixels over, or have the channels first."""
    window, sizes = tuple(layer.pool_size), inputs.shape[1:-1]
    fits = layer.data_format == "channels_last" and window == tuple(layer.strides) and prod(window) < 128
    if not fits or any(size % step for size, step in zip(sizes, window, strict=True)):
        return None
    return pooled(inputs, window)


@_as_keras_own
class MaxPooling2D(keras.layers.MaxPooling2D):
    """The maximum of windows side by side, whose gradient needs no scattering."""

    def call(self, inputs: Tensor) -> Tensor:
        """As `keras.layers.MaxPooling2D`, of `(batch, height, width, channels)`."""
        found = _pools(self, inputs)
        return super().call(inputs) if found is None else found


@_as_keras_own
class MaxPooling3D(keras.layers.MaxPooling3D):
    """As `MaxPooling2D`."""

    def call(self, inputs: Tensor) -> Tensor:
        """As `keras.layers.MaxPooling3D`, of `(batch, depth, height, width, channels)`."""
        found = _pools(self, inputs)
        return super().call(inputs) if found is None else found


def _settled(kernel: Tensor) -> Tensor:
    """The kernel, whose gradient is an array of its own in the order of its axes.

    XLA leaves it in the order that the convolution wrote it in, and reorders it inside the kernel of the update, which
    can then not write in place. A kernel that is laid out over several devices stays as it is: in one row it would have
    to go from device to device.
    """
    if not weights_are_whole():
        return kernel
    return jax.lax.optimization_barrier(kernel.reshape(-1)).reshape(kernel.shape)


def _convolve(layer: Any, inputs: Tensor, kernel: Tensor) -> Tensor | None:
    """A 1×1 convolution to few channels as sums of products, in float32 at least; None where it is another one."""
    single = set(layer.kernel_size) | set(layer.strides) == {1} and layer.groups == 1
    if not single or layer.filters > FEW or layer.data_format != "channels_last":
        return None
    wide = jnp.promote_types(kernel.dtype, jnp.float32)
    weights, x = kernel.reshape(kernel.shape[-2:]).astype(wide), jnp.asarray(inputs, kernel.dtype).astype(wide)
    return jnp.stack([jnp.sum(x * column, -1) for column in weights.T], -1).astype(kernel.dtype)


@_as_keras_own
class Conv2D(keras.layers.Conv2D):
    """A convolution whose kernel's gradient is settled; to few channels from single pixels, sums of products."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """As `keras.layers.Conv2D`, on `(batch, height, width, channels)`."""
        kernel = keras.ops.convert_to_tensor(kernel)
        found = _convolve(self, inputs, kernel)
        return super().convolution_op(inputs, _settled(kernel)) if found is None else found


@_as_keras_own
class Conv3D(keras.layers.Conv3D):
    """As `Conv2D`."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """As `keras.layers.Conv3D`, on `(batch, depth, height, width, channels)`."""
        kernel = keras.ops.convert_to_tensor(kernel)
        found = _convolve(self, inputs, kernel)
        return super().convolution_op(inputs, _settled(kernel)) if found is None else found
