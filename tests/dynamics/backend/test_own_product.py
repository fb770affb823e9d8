"""Gradients that are products: TensorFlow's graph optimizer must treat them as it does without a tap."""

import keras
import numpy as np
import pytest

from tap_models import assert_same_weights, conv_data, conv_model, fit, optimizer_state, weights_of
from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.backend import backend


class Scales(keras.layers.Layer):
    """Weights that are multiplied with one another: their gradients are products of products."""

    def build(self, shape):
        names = ("first", "second", "third")
        self.scales = [self.add_weight(shape=shape[-1:], initializer="random_normal", name=name) for name in names]

    def call(self, x):
        first, second, third = self.scales
        return x * (first * (second * third)) * 3.0


def scales_model():
    keras.utils.set_random_seed(7)
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.BatchNormalization()(Scales()(inputs))
    x = Scales()(keras.layers.LayerNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


@pytest.mark.parametrize("make", [conv_model, scales_model])
@pytest.mark.parametrize("options", [{}, {"nesterov": True}, {"weight_decay": 0.01}], ids=str)
def test_descent_with_momentum_is_undisturbed_to_the_bit(make, options):
    states = []
    for tapped in (False, True):
        model = make()
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9, **options), "mse")
        tap = OptimizerTap(model) if tapped else None
        fit(model, conv_data(), epochs=2)
        if tap is not None:
            tap.detach()
        states.append([*weights_of(model), *optimizer_state(model)])
    assert_same_weights(*states)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has this graph")
def test_own_product_is_another_node_with_the_same_values_and_shared_factors_stay_shared():
    import tensorflow as tf

    nodes = {}

    @tf.function
    def step(x, y):
        shared, alone = x * y, y + 1.0
        nodes["sum"] = backend.own_product(x + shared)
        product = (alone * x) * shared
        nodes["came"], nodes["read"] = product.op, backend.own_product(product).op
        return product, nodes["read"].outputs[0], nodes["sum"]

    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 5.0])
    product, read, total = step(x, y)
    np.testing.assert_array_equal(read, product)
    np.testing.assert_array_equal(total, [4.0, 12.0])
    assert nodes["read"] is not nodes["came"]
    assert nodes["sum"].op.type == "AddV2"
    assert nodes["read"].inputs[0] is not nodes["came"].inputs[0]
    assert nodes["read"].inputs[1] is nodes["came"].inputs[1]


def test_own_product_leaves_what_has_a_value_alone():
    value = keras.ops.ones((2,))
    assert backend.own_product(value) is value
