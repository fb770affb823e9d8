"""The learning rate as it is read from an optimizer, whoever keeps it."""

import keras
import pytest

from unetdyn.callbacks.logged_number import learning_rate_of


def compiled(optimizer):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


def test_learning_rate_of_a_schedule_is_that_of_the_step_to_come():
    model = compiled(keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.125])))
    assert learning_rate_of(model) == {"learning_rate": 0.5}
    model.optimizer.iterations.assign(3)
    assert learning_rate_of(model) == {"learning_rate": 0.125}


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_learning_rate_on_several_devices_is_read():
    """It is a MirroredVariable, of which float() ended the training after its first epoch."""
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = compiled(keras.optimizers.SGD(0.25))
        assert learning_rate_of(model) == {"learning_rate": 0.25}
    assert learning_rate_of(model) == {"learning_rate": 0.25}


def test_learning_rate_of_nothing_is_nothing():
    assert learning_rate_of(keras.Sequential()) == {}
