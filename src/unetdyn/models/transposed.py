"""Transposed convolution whose windows do not overlap, as a matrix product: Keras' layers, with another `call`."""

from math import prod
from typing import Any

import keras
from keras import ops

from unetdyn.models.keras_names import named_as_keras_own


def tiles_exactly(layer: Any) -> bool:
    """Whether a transposed convolution's windows lie side by side: the kernel is as large as the stride.

    Args:
        layer: A `keras.layers.Conv2DTranspose` or `Conv3DTranspose`.

    Returns:
        True where `transposed_product` computes what the layer does, to rounding.
    """
    return (
        layer.kernel_size == layer.strides
        and layer.data_format == "channels_last"
        and layer.output_padding is None
        and set(layer.dilation_rate) == {1}
    )


def transposed_product(x: Any, kernel: Any) -> Any:
    """A transposed convolution whose stride is its kernel's size: a matrix product and a rearrangement.

    Each pixel becomes a window of its own, y[s·i + a] = Σ x[i] · kernel[a], and no two windows share a pixel. So it is
    one product of all pixels with the kernel as a matrix, whose rows are then put where they belong. Compilers see a
    convolution in `keras.ops.conv_transpose`, and XLA's gradient of that is slow: a training step takes a third longer
    with it on a GPU (docs/performance.md).

    Args:
        x: `(batch, *sizes, in)`, with as many sizes as the kernel has; they may be unknown when a graph is traced.
        kernel: `(*window, out, in)`, as Keras keeps it. The stride is the window.

    Returns:
        `(batch, *sizes · window, out)`.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[[1.0], [2.0]]]], "float32")  # 1×2 pixels
        >>> kernel = np.array([[1.0, 10.0], [100.0, 1000.0]], "float32").reshape(2, 2, 1, 1)
        >>> keras.ops.convert_to_numpy(transposed_product(x, kernel))[0, ..., 0].astype(int).tolist()
        [[1, 10, 2, 20], [100, 1000, 200, 2000]]
    """
    *window, out, channels = kernel.shape
    batch, *sizes, _ = ops.shape(x)
    rank = len(window)
    y = ops.reshape(x, (-1, channels)) @ ops.transpose(ops.reshape(kernel, (prod(window) * out, channels)))
    y = ops.reshape(y, (batch, *sizes, *window, out))
    pairs = [axis for i in range(1, rank + 1) for axis in (i, i + rank)]  # each size, and where in its window
    y = ops.transpose(y, (0, *pairs, 2 * rank + 1))
    return ops.reshape(y, (batch, *(size * step for size, step in zip(sizes, window, strict=True)), out))


def _call(layer: Any, inputs: Any) -> Any:
    outputs = transposed_product(inputs, ops.convert_to_tensor(layer.kernel))
    if layer.use_bias:
        outputs = ops.add(outputs, layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)


@named_as_keras_own
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose`, as a matrix product where the stride is the kernel's size.

    The same arguments, weights, files and, to rounding, numbers and gradients. With other strides, with
    `data_format="channels_first"`, `output_padding` or dilation it computes as Keras does.

    A model that was saved before has Keras' layer in its file. To train it on with this one, build it anew and
    `load_weights` from that file.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve `(batch, height, width, channels)` to `(batch, height · stride, width · stride, filters)`."""
        return _call(self, inputs) if tiles_exactly(self) else super().call(inputs)


@named_as_keras_own
class Conv3DTranspose(keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose`, as `Conv2DTranspose` is."""

    def call(self, inputs: Any) -> Any:
        """Convolve `(batch, depth, height, width, channels)`; each size becomes `size · stride`."""
        return _call(self, inputs) if tiles_exactly(self) else super().call(inputs)
