"""Keras' layers on TensorFlow: one operation each, where Keras 3 has several that go through memory one by one.

Keras 3.15 normalises a batch on TensorFlow by `tf.nn.moments` and sums and products; Keras 2 had `FusedBatchNormV3` for
images, which oneDNN computes in two passes, and its gradient in two. In training on a CPU that is a third of a U-Net.

As in `torch_layers`, a class here computes what Keras' class of the same name does, to rounding, with the same
configuration and the same variables. In a file it is Keras' class (`keras_names.py`).
"""

from functools import partial
from typing import Any

import keras
import tensorflow as tf

from unetdyn.models.keras_names import named_as_keras_own

Tensor = Any

_as_keras_own = partial(named_as_keras_own, backend="tensorflow")

_SMALLEST_EPSILON = 1.001e-5
"""What cuDNN, which computes it on a GPU, takes: `tf.compat.v1.nn.fused_batch_norm` has the same bound."""


@_as_keras_own
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch norm over the last axis of images as one operation; statistics are float32 inside.

    The operation gives the unbiased variance of the batch; Keras' moving statistics take the biased one, and so do
    these.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        """As `keras.layers.BatchNormalization`."""
        if mask is not None or not self._fits(inputs):
            return super().call(inputs, training=training, mask=mask)
        learns = bool(training and self.trainable)
        shape = tf.shape(inputs)
        x = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, tf.concat([shape[:1] * shape[1], shape[2:]], 0))
        statistics = [] if learns else [self.moving_mean.value, self.moving_variance.value]
        found = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=statistics[0] if statistics else tf.zeros(0),
            variance=statistics[1] if statistics else tf.zeros(0),
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            pixels = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
            self._follow(self.moving_mean, found.batch_mean)
            self._follow(self.moving_variance, found.batch_variance * ((pixels - 1) / pixels))
        y = found.y if len(inputs.shape) == 4 else tf.reshape(found.y, shape)
        y.set_shape(inputs.shape)
        return y

    def _follow(self, moving: keras.Variable, value: Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))

    def _fits(self, inputs: Tensor) -> bool:
        rank, own = len(inputs.shape), self.moving_mean.dtype
        plain = self.scale and self.center and not self.renorm and not self.synchronized
        types = own == "float32" and self.compute_dtype == inputs.dtype in ("float32", "float16", "bfloat16")
        return plain and types and rank in (4, 5) and self.axis in (-1, rank - 1) and self.epsilon > _SMALLEST_EPSILON
