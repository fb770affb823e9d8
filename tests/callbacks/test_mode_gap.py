"""TrainInferenceGapMonitor against a copy of the network that is called by hand, and against NumPy."""

import copy

import keras
import numpy as np
import pytest

from probe_models import crossentropy, images, jaccard, network
from unetdyn.callbacks import TrainInferenceGapMonitor
from unetdyn.callbacks.mode_gap import statistics_gap

X, Y = images()


class Copies(keras.callbacks.Callback):
    """A copy of the model at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.models = []

    def on_epoch_end(self, epoch, logs=None):
        self.models.append(copy.deepcopy(self.model))


def watched(monitor, epochs=2, **kwargs):
    model, copies = network(**kwargs), Copies()
    history = model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=[copies, monitor]).history
    return copies.models, history


def by_hand(model, x, training):
    """Outputs, and by norm layer the mean and variance of its inputs: layer by layer."""
    statistics = {}
    value = keras.ops.convert_to_tensor(x)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            seen = keras.ops.convert_to_numpy(value).astype("float64")
            statistics[layer.name] = seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))
        value = layer(value, training=training)
    return keras.ops.convert_to_numpy(value), statistics


def test_record_is_what_the_model_says_in_both_modes():
    monitor = TrainInferenceGapMonitor(probe=(X[:8], Y[:8]), batch_size=8, budget=None)
    models, history = watched(monitor)
    record = monitor.record
    assert list(record["epoch"]) == [0, 1]
    for epoch, model in enumerate(models):
        layers = {layer.name: layer for layer in model.layers}
        moving = {
            name: [keras.ops.convert_to_numpy(part.value) for part in (layer.moving_mean, layer.moving_variance)]
            for name, layer in layers.items()
            if "norm" in name
        }
        answers, _ = by_hand(model, X[:8], False)
        assert record["inference_loss"][epoch] == pytest.approx(crossentropy(Y[:8], answers), rel=1e-4)
        assert record["inference_jaccard"][epoch] == pytest.approx(jaccard(Y[:8], answers), abs=1e-6)
        answers, statistics = by_hand(model, X[:8], True)
        assert record["training_loss"][epoch] == pytest.approx(crossentropy(Y[:8], answers), rel=1e-4)
        assert record["training_jaccard"][epoch] == pytest.approx(jaccard(Y[:8], answers), abs=1e-6)
        for name, (mean, variance) in statistics.items():
            spread = moving[name][1] + 1e-3
            distance = np.sqrt(np.mean((mean - moving[name][0]) ** 2 / spread))
            ratio = np.prod((variance + 1e-3) / spread) ** (1 / len(mean))
            assert record["mean_distance"][name][epoch] == pytest.approx(distance, rel=1e-3)
            assert record["variance_ratio"][name][epoch] == pytest.approx(ratio, rel=1e-3)
    np.testing.assert_allclose(history["mode_gap_loss"], record["inference_loss"] - record["training_loss"])
    np.testing.assert_allclose(history["mode_gap_jaccard"], record["training_jaccard"] - record["inference_jaccard"])


def test_several_batches_are_averaged():
    means, variances = np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[3.0, 1.0], [1.0, 1.0]])
    distance, ratio = statistics_gap(means, variances, np.array([1.0, 1.0]), np.array([1.0, 3.0]), 1.0)
    assert distance == pytest.approx(np.sqrt((0 / 2 + 1 / 4 + 4 / 2 + 1 / 4) / 4))
    assert ratio == pytest.approx(((4 / 2) * (2 / 4) * (2 / 2) * (2 / 4)) ** 0.25)


def test_slow_statistics_lag_and_fast_ones_do_not():
    """A handful of steps: the weights have moved on, and statistics of momentum 0.999 still are the initial ones."""
    x, y = images(48)
    x, codes = 10 * x + 50, {}
    for momentum in (0.999, 0.9):
        monitor = TrainInferenceGapMonitor(probe=(x, y), batch_size=4, budget=None)
        model = network(momentum=momentum, rate=0.005)
        model.fit(x, y, batch_size=2, epochs=3, verbose=0, callbacks=[monitor])
        codes[momentum] = {finding.code: finding for _, finding in monitor.findings}
    assert list(codes[0.999]) == ["statistics.lag"]
    assert "0.999 at 24 steps an epoch" in codes[0.999]["statistics.lag"].seen
    assert "_norm" in codes[0.999]["statistics.lag"].seen
    assert codes[0.999]["statistics.lag"].level == "watch"
    assert codes[0.9] == {}


def test_frozen_norms_have_no_gap():
    monitor = TrainInferenceGapMonitor(probe=(X, Y), budget=None)
    model = network()
    model.get_layer("first_norm").trainable = False
    model.compile("sgd", "binary_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[monitor])
    assert list(monitor.record["mean_distance"]) == ["second_norm"]


def test_norms_of_nested_models_are_found_and_repeated_names_told_apart():
    inner = [keras.Sequential([keras.Input((8, 8, 1)), keras.layers.BatchNormalization(name="norm")]) for _ in "ab"]
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(inner[1](inner[0](inputs))))
    model.compile("sgd", "mse")
    monitor = TrainInferenceGapMonitor(probe=(X, Y), budget=None)
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[monitor])
    assert len(monitor.record["mean_distance"]) == 2
    assert all(name.endswith("/norm") for name in monitor.record["mean_distance"])


def test_several_outputs_have_losses_and_no_jaccard_which_is_said_once():
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, [keras.layers.Conv2D(1, 1)(inputs), keras.layers.Conv2D(1, 1)(inputs)])
    model.compile("sgd", ["mse", "mse"])
    monitor = TrainInferenceGapMonitor(budget=None)
    many = {"validation_data": (X[:8], [Y[:8], Y[:8]]), "epochs": 3}
    history = model.fit(X, [Y, Y], verbose=0, callbacks=[monitor], **many).history
    ((_, found),) = monitor.findings  # of the first output, which has no activation
    assert found.code == "probe.not_applicable"
    assert "are no probabilities" in found.sentence
    np.testing.assert_allclose(monitor.record["inference_loss"], history["val_loss"], rtol=1e-5)
    assert np.isnan(monitor.record["inference_jaccard"]).all()


def test_training_step_of_ones_own_without_a_compiled_loss_has_no_loss_here():
    class Own(keras.Sequential):
        def train_step(self, *arguments):
            return {"loss": 0.0} if keras.config.backend() != "jax" else ({"loss": 0.0}, arguments[0])

    model = Own([keras.Input((8, 8, 1)), keras.layers.BatchNormalization(name="norm"), keras.layers.Conv2D(1, 1)])
    model.compile("sgd")
    monitor = TrainInferenceGapMonitor(probe=(X, Y), budget=None)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])
    assert np.isnan(monitor.record["training_loss"]).all()
    assert np.isfinite(monitor.record["mean_distance"]["norm"]).all()
    assert "no loss: the model was compiled without one" in monitor.messages[0][1]


def test_budget_leaves_out_epochs_but_the_first_and_the_last():
    monitor = TrainInferenceGapMonitor(probe=(X, Y), budget=1e-9)
    _, history = watched(monitor, epochs=5)
    measured = np.isfinite(monitor.record["training_loss"])
    assert list(measured) == [True, True, False, False, True]  # the first is on neither side of the budget
    assert list(np.isfinite(history["mode_gap_loss"])) == list(measured)
    assert list(monitor.record["seconds"] > 0) == list(measured)
    assert monitor.results["cost"].measured == 3


def test_budget_leaves_out_what_each_fit_compiles():
    monitor, model = TrainInferenceGapMonitor(probe=(X, Y), budget=1e-9), network()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])
    spent = monitor._spent
    model.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=[monitor])
    assert monitor._spent == spent > 0
    model.fit(X, Y, epochs=6, initial_epoch=3, verbose=0, callbacks=[monitor])
    assert np.isfinite(monitor.record["training_loss"]).tolist() == [True, True, True, True, False, True]


@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch compiles nothing")
def test_each_mode_is_compiled_once_a_fit():
    traced = []

    class Counted(TrainInferenceGapMonitor):
        def _one_mode(self, x, y, training):
            traced.append(training)
            return super()._one_mode(x, y, training)

    watched(Counted(probe=(X, Y), batch_size=4, budget=None), epochs=4)
    assert sorted(traced) == [False, True]


def test_cost_is_told_at_the_end(capsys):
    watched(TrainInferenceGapMonitor(probe=(X, Y), verbose=1), epochs=1)
    assert "TrainInferenceGapMonitor took" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"probe": X}, r"`probe` must be a pair of arrays"),
        ({"probe": (X, Y[:2])}, r"`probe` must be a pair of arrays"),
        ({"images": 0}, r"`images` must be a whole number"),
        ({"batch_size": 0}, r"`batch_size` must be a whole number"),
        ({"budget": 0}, r"`budget` must lie between 0 and 1"),
    ],
)
def test_arguments_are_checked(arguments, text):
    with pytest.raises(ValueError, match=text):
        TrainInferenceGapMonitor(**arguments)


def test_fit_that_carries_on_carries_the_record_on():
    monitor = TrainInferenceGapMonitor(probe=(X, Y), budget=None)
    model = network()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[monitor])
    model.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=[monitor])
    assert list(monitor.record["epoch"]) == [0, 1, 2]
    assert np.isfinite(monitor.record["training_loss"]).all()
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[monitor])
    assert list(monitor.record["epoch"]) == [0, 1, 2, 3]
