"""Reading a gradient in a TensorFlow graph without changing how the graph optimizer rounds the update."""

from typing import Any

import keras

Tensor = Any


def own_product(gradient: Tensor) -> Tensor:
    """The same numbers, for the tap to read: a product in a TensorFlow graph is computed a second time.

    A batch norm's gradient with respect to its scale is a product, which gradient descent multiplies by the learning
    rate. TensorFlow's graph optimizer (Grappler, MinimizeBroadcasts in arithmetic_optimizer.cc) turns
    (sum · rsqrt) · rate into sum · (rsqrt · rate), which rounds differently, but only where nobody else reads the first
    product. With one of its own for the tap it does so as it does without one. Such gradients are as small as biases;
    those of kernels come out of convolutions and are handed back as they are, like everything outside of a graph.

    Args:
        gradient: A tensor of any shape.

    Returns:
        A tensor of the same shape, type and values.

    Example:
        >>> float(own_product(keras.ops.array(2.0)))
        2.0

    Reference:
        https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/grappler/optimizers/arithmetic_optimizer.cc
    """
    if keras.backend.backend() != "tensorflow":
        return gradient
    import tensorflow as tf

    if not tf.is_symbolic_tensor(gradient) or gradient.graph is not tf.compat.v1.get_default_graph():
        return gradient
    return _again(gradient)


def _again(product: Tensor) -> Tensor:
    """Factors that are products for nobody else belong to the same regrouping, so they are computed again too."""
    import tensorflow as tf

    if product.op.type != "Mul":
        return product
    factors = [factor if len(factor.consumers()) > 1 else _again(factor) for factor in product.op.inputs]
    # Two equal nodes would be made one again; nodes with different places to stand are not equal.
    with product.graph.colocate_with(product.op):
        return tf.raw_ops.Mul(x=factors[0], y=factors[1])
