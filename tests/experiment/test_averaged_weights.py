"""Validation sees the averages, training does not: against the recurrence of an average in NumPy."""

import keras
import numpy as np
import pytest

from unetdyn.experiment.averaged_weights import AveragedWeights

X = np.ones((4, 1), "float32")
Y = np.zeros((4, 1), "float32")
RATE, KEPT, STEPS = 0.125, 0.5, 4  # a step an image; dw = -2 · RATE · w


def trained(optimizer, *callbacks, epochs=2):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer, "mse")
    callbacks = [AveragedWeights(), *callbacks]
    history = model.fit(
        X, Y, batch_size=1, epochs=epochs, validation_data=(X, Y), shuffle=False, verbose=0, callbacks=callbacks
    )
    return model, history.history


def averages(epochs):
    """Of the weight after each epoch: the first step's, then KEPT of what there was."""
    weights = (1 - 2 * RATE) ** np.arange(1, epochs * STEPS + 1)
    average = [weights[0]]
    for weight in weights[1:]:
        average.append(KEPT * average[-1] + (1 - KEPT) * weight)
    return np.array(average)[STEPS - 1 :: STEPS]


def sgd():
    return keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=KEPT)


class Seen(keras.callbacks.Callback):
    def __init__(self, stop_at=None):
        super().__init__()
        self.weights, self.stop_at = [], stop_at

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(float(self.model.get_weights()[0][0, 0]))
        self.model.stop_training = epoch == self.stop_at


def test_validation_and_later_callbacks_see_the_averages_and_training_its_own_weights():
    seen = Seen()
    model, history = trained(sgd(), seen)
    np.testing.assert_allclose(seen.weights, averages(2), rtol=1e-6)
    np.testing.assert_allclose(history["val_loss"], averages(2) ** 2, rtol=1e-6)
    losses = (1 - 2 * RATE) ** (2 * np.arange(2 * STEPS))
    np.testing.assert_allclose(history["loss"], losses.reshape(2, STEPS).mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(model.get_weights()[0], averages(2)[-1], rtol=1e-6)


def test_averages_stay_after_a_training_that_was_stopped():
    model, _ = trained(sgd(), Seen(stop_at=0), epochs=3)
    np.testing.assert_allclose(model.get_weights()[0], averages(1)[-1], rtol=1e-6)


def test_averages_inside_a_loss_scale_optimizer():
    seen = Seen()
    trained(keras.optimizers.LossScaleOptimizer(sgd(), initial_scale=2.0), seen)
    np.testing.assert_allclose(seen.weights, averages(2), rtol=1e-6)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
def test_without_averages_nothing_happens(optimizer):
    seen = Seen()
    model, history = trained(optimizer(RATE), seen)
    assert history["val_loss"][-1] == pytest.approx(float(model.get_weights()[0][0, 0]) ** 2)
    assert seen.weights[-1] == float(model.get_weights()[0][0, 0])
