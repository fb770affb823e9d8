"""The layers that Keras lacks: linear upsampling in any number of dimensions, a crop to another's size, and padding."""

from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_count

Shape = tuple[int | None, ...]


def _double(x: Any, axis: int) -> Any:
    before = ops.concatenate([_slice(x, axis, 0, 1), _slice(x, axis, 0, -1)], axis=axis)
    after = ops.concatenate([_slice(x, axis, 1, None), _slice(x, axis, -1, None)], axis=axis)
    pairs = ops.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
    shape = list(ops.shape(x))
    shape[axis] = 2 * shape[axis]
    return ops.reshape(pairs, shape)


def _slice(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return x[(slice(None),) * axis + (slice(start, stop),)]


@keras.saving.register_keras_serializable(package="unetdyn")
class LinearUpsampling(keras.layers.Layer):
    """Double the size of every spatial dimension by linear interpolation.

    Pixel centres lie at half-integers and edges are clamped, so along each axis

        y[2i] = x[i-1] / 4 + 3 x[i] / 4        y[2i+1] = 3 x[i] / 4 + x[i+1] / 4

    In 2D this is `keras.layers.UpSampling2D(2, interpolation="bilinear")`. In 3D Keras has nearest only, which is
    why this layer exists. It has no weights.

    Args:
        **kwargs: Those of `keras.layers.Layer`, such as `name` and `dtype`.

    Example:
        >>> import numpy as np
        >>> from unetdyn.models import LinearUpsampling
        >>> y = LinearUpsampling()(np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1))
        >>> [float(v) for v in y[0, 0, :, 0]]
        [0.0, 1.0, 3.0, 4.0]
    """

    def call(self, x: Any) -> Any:
        """Interpolate along one spatial axis after the other: linear interpolation is separable.

        Args:
            x: `(batch, height, width, channels)` or `(batch, depth, height, width, channels)`; spatial dimensions may
                be unknown when the model is built.

        Returns:
            A tensor of the same rank with every spatial dimension doubled.
        """
        for axis in range(1, len(x.shape) - 1):
            x = _double(x, axis)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape with doubled spatial dimensions."""
        doubled = (None if size is None else 2 * size for size in input_shape[1:-1])
        return (input_shape[0], *doubled, input_shape[-1])


@keras.saving.register_keras_serializable(package="unetdyn")
class CropLike(keras.layers.Layer):
    """Crop the spatial dimensions of one tensor to those of another, at the far end.

    A level of odd size n is pooled to (n + 1) / 2 and comes back from upsampling with n + 1 pixels. The surplus pixel
    is the last one, because pooling windows start at pixel 0. The layer has no weights.

    Args:
        **kwargs: Those of `keras.layers.Layer`, such as `name` and `dtype`.

    Example:
        >>> import numpy as np
        >>> from unetdyn.models import CropLike
        >>> tuple(CropLike()(np.zeros((1, 6, 8, 3)), np.zeros((1, 5, 8, 2))).shape)
        (1, 5, 8, 3)
    """

    def call(self, x: Any, reference: Any) -> Any:
        """Slice `x` to the sizes of `reference`, static where they are known.

        Args:
            x: `(batch, height, width, channels)` or `(batch, depth, height, width, channels)`.
            reference: A tensor of the same rank, no larger than `x` in any spatial dimension. Only its shape is read.

        Returns:
            The part of `x` that has the spatial shape of `reference`.
        """
        sizes = ops.shape(reference)[1:-1]
        return x[(slice(None), *(slice(0, size) for size in sizes))]

    def compute_output_shape(self, x_shape: Shape, reference_shape: Shape) -> Shape:
        """The spatial sizes of the reference between the batch size and the channels of `x`."""
        return (x_shape[0], *reference_shape[1:-1], x_shape[-1])


@keras.saving.register_keras_serializable(package="unetdyn")
class PadToMultiple(keras.layers.Layer):
    """Pad every spatial dimension at its far end to the next multiple of a number, by repeating the last pixel.

    For encoders that round half a pixel down, or differently from level to level: with sizes that divide, all agree.
    `CropLike` undoes it. The layer has no weights.

    Args:
        multiple: Whole number of pixels, 1 or more.
        **kwargs: Those of `keras.layers.Layer`, such as `name` and `dtype`.

    Raises:
        ValueError: If `multiple` is no whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from unetdyn.models import PadToMultiple
        >>> x = PadToMultiple(4)(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]).reshape(1, 1, 5, 1))
        >>> [float(v) for v in x[0, 0, :, 0]], tuple(x.shape)
        ([1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0], (1, 4, 8, 1))
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_count("multiple", multiple, least=1, unit="pixels")
        self.multiple = int(multiple)

    def call(self, x: Any) -> Any:
        """Pad; nothing where all sizes divide.

        Args:
            x: `(batch, height, width, channels)` or `(batch, depth, height, width, channels)`; spatial dimensions may
                be unknown when the model is built.

        Returns:
            A tensor of the same rank whose spatial sizes are multiples.
        """
        for axis in range(1, len(x.shape) - 1):
            size = ops.shape(x)[axis]
            places = ops.arange(size + -size % self.multiple, dtype="int32")
            x = ops.take(x, ops.minimum(places, size - 1), axis=axis)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape with spatial dimensions rounded up."""
        padded = (None if size is None else size + -size % self.multiple for size in input_shape[1:-1])
        return (input_shape[0], *padded, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "multiple": self.multiple}
