"""The loss of the first step, which is that of the first batch: targets 1, 2 and 3, and a model that says 0."""

import keras
import numpy as np

from unetdyn.callbacks.first_loss import FirstLoss

X, Y = np.ones((3, 1)), np.array([[1.0], [2.0], [3.0]])


def silent_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.make_train_function()
    return model


def fit(model):
    model.fit(X, Y, batch_size=1, shuffle=False, verbose=0)


def test_it_is_that_of_the_first_batch_and_the_train_function_is_given_back():
    model = silent_model()
    own, first = model.train_function, FirstLoss(model, "loss")
    assert first.value is None
    fit(model)
    assert first.value == 1
    assert model.train_function is own


def test_what_others_have_put_around_it_stays_and_later_steps_do_not_count():
    model = silent_model()
    first = FirstLoss(model, "loss")
    within = model.train_function

    def around(*args):
        return within(*args)

    model.train_function = around
    fit(model)
    assert first.value == 1
    assert model.train_function is around


def test_a_value_that_is_not_logged_is_none():
    model = silent_model()
    first = FirstLoss(model, "jaccard")
    fit(model)
    assert first.value is None
