"""Keras' layers on PyTorch: one call each, on the pixels as they lie in memory.

Keras 3.15 copies every input of a convolution or a pooling layer twice before it calls PyTorch (`.contiguous()`, then
back again), and normalises in some ten operations, each of which goes through memory in float32. PyTorch's kernels take
images with the channels last as they are: seen as `(batch, channels, height, width)`, with the strides that they have.

A class here computes what Keras' class of the same name does, to rounding, with the same configuration and the same
variables; float64 stays float64, which Keras' norms round to float32. In a file it is Keras' class (`keras_names.py`).

Whatever else Keras' layer can do (other axes, masks, renormalisation, asymmetric padding) is left to it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import torch
from torch.nn import functional

from unetdyn.models.keras_names import named_as_keras_own

Tensor = Any

_as_keras_own = partial(named_as_keras_own, backend="torch")

_WHOLE, _HALVES = (torch.float32, torch.float64), (torch.float16, torch.bfloat16)


def _channels_first(x: Tensor) -> Tensor:
    """The same memory, seen with the channels before the pixels."""
    return x.movedim(-1, 1)


def _channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1)


@_as_keras_own
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch norm over the last axis as one call, and its gradient as another; statistics and sums are float32 inside.

    PyTorch's own update of moving statistics takes the unbiased variance; Keras' the biased one, and so does this.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        """As `keras.layers.BatchNormalization`."""
        pixels = inputs.numel() // max(inputs.shape[-1], 1)
        if mask is not None or not self._fits(inputs) or pixels < 2:
            return super().call(inputs, training=training, mask=mask)
        x = _channels_first(inputs)
        scale, offset, epsilon = self.gamma.value, self.beta.value, self.epsilon
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if not (training and self.trainable):
            return _channels_last(functional.batch_norm(x, mean, variance, scale, offset, False, 0.0, epsilon))
        bias = pixels / (pixels - 1)
        mean, variance = mean.detach().clone(), variance.detach() * bias
        y = functional.batch_norm(x, mean, variance, scale, offset, True, 1 - self.momentum, epsilon)
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance / bias)
        return _channels_last(y)

    def _fits(self, inputs: Tensor) -> bool:
        rank, own = len(inputs.shape), self.moving_mean.value.dtype
        plain = self.scale and self.center and not self.renorm and self.axis in (-1, rank - 1)
        mixed = own == torch.float32 and inputs.dtype in _HALVES
        return plain and rank > 2 and (mixed or inputs.dtype == own in _WHOLE)


@_as_keras_own
class GroupNormalization(keras.layers.GroupNormalization):
    """Group and instance norm over the last axis as one call, in float32 at least."""

    def call(self, inputs: Tensor) -> Tensor:
        """As `keras.layers.GroupNormalization`."""
        rank = len(inputs.shape)
        if not (self.scale and self.center and self.axis in (-1, rank - 1)):
            return super().call(inputs)
        x = _channels_first(inputs if inputs.dtype in _WHOLE else inputs.float())
        scale, offset = (each.value.to(x.dtype) for each in (self.gamma, self.beta))
        y = torch.group_norm(x, self.groups, scale, offset, self.epsilon)
        return keras.ops.cast(_channels_last(y), self.compute_dtype)


def _convolve(layer: Any, inputs: Tensor, kernel: Tensor) -> Tensor | None:
    """The convolution on the memory as it is; None where PyTorch can't pad it by itself, equally on both sides."""
    padding = _padding(layer, inputs.shape[1:-1])
    if layer.data_format != "channels_last" or padding is None:
        return None
    rank = len(layer.kernel_size)
    convolution, order = _CONVOLUTIONS[rank]
    x = _channels_first(keras.ops.convert_to_tensor(inputs)).contiguous(memory_format=order)
    kernel = keras.ops.convert_to_tensor(kernel).permute(rank + 1, rank, *range(rank)).contiguous(memory_format=order)
    return _channels_last(convolution(x, kernel, None, layer.strides, padding, layer.dilation_rate, layer.groups))


_CONVOLUTIONS = {2: (functional.conv2d, torch.channels_last), 3: (functional.conv3d, torch.channels_last_3d)}


def _padding(layer: Any, sizes: Sequence[int]) -> list[int] | None:
    """Pixels on each side of each axis; None where one side has more than the other."""
    if layer.padding != "same":
        return [0] * len(sizes)
    windows = zip(sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    totals = [max(0, (size - 1) // step * step + width * (taps - 1) + 1 - size) for size, taps, step, width in windows]
    return None if any(total % 2 for total in totals) else [total // 2 for total in totals]


@_as_keras_own
class Conv2D(keras.layers.Conv2D):
    """A convolution that PyTorch can pad by itself: equally on both sides, or not at all."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """As `keras.layers.Conv2D`, on `(batch, height, width, channels)`."""
        y = _convolve(self, inputs, kernel)
        return super().convolution_op(inputs, kernel) if y is None else y


@_as_keras_own
class Conv3D(keras.layers.Conv3D):
    """As `Conv2D`, of volumes."""

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """As `keras.layers.Conv3D`, on `(batch, depth, height, width, channels)`."""
        y = _convolve(self, inputs, kernel)
        return super().convolution_op(inputs, kernel) if y is None else y


def _side_by_side(layer: Any) -> bool:
    """Whether windows lie side by side from the first pixel on, the last one cut off: PyTorch's `ceil_mode`.

    A larger window that sticks out does so on both sides, and so begins before the first pixel.
    """
    from_the_first = layer.padding == "same" and max(layer.pool_size) <= 2
    return from_the_first and layer.pool_size == layer.strides and layer.data_format == "channels_last"


@_as_keras_own
class MaxPooling2D(keras.layers.MaxPooling2D):
    """The maximum of windows side by side."""

    def call(self, inputs: Tensor) -> Tensor:
        """As `keras.layers.MaxPooling2D`."""
        if not _side_by_side(self):
            return super().call(inputs)
        return _channels_last(functional.max_pool2d(_channels_first(inputs), self.pool_size, ceil_mode=True))


@_as_keras_own
class MaxPooling3D(keras.layers.MaxPooling3D):
    """As `MaxPooling2D`, of volumes."""

    def call(self, inputs: Tensor) -> Tensor:
        """As `keras.layers.MaxPooling3D`."""
        if not _side_by_side(self):
            return super().call(inputs)
        return _channels_last(functional.max_pool3d(_channels_first(inputs), self.pool_size, ceil_mode=True))
