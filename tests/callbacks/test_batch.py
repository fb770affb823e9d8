"""`BatchMonitor`: its record against NumPy, its findings, and what it leaves alone."""

import keras
import numpy as np
import pytest

from unetdyn.callbacks import BatchMonitor
from unetdyn.losses import BinaryFocalLoss

RNG = np.random.default_rng(2)
X = RNG.random((10, 6, 6, 1)).astype("float32")
Y = (RNG.random((10, 6, 6, 1)) < 0.25).astype("float32")
Y[3] = 0
VALIDATION = X[:4], 1 - Y[:4]


def model_of(loss="binary_crossentropy", activation="sigmoid", channels=1, rate=0.0, **options):
    """One convolution; with a rate of 0 its outputs are known."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(channels, 3, padding="same")])
    model.add(keras.layers.Activation(activation))
    model.compile(keras.optimizers.SGD(rate), loss, **options)
    return model


def watched(x=X, y=Y, model=None, monitor=None, validation=None, epochs=1, **options):
    monitor = monitor or BatchMonitor(**options)
    model = model or model_of()
    model.fit(x, y, batch_size=4, epochs=epochs, validation_data=validation, verbose=0, callbacks=[monitor])
    return monitor


def codes(monitor):
    return [finding.code for _, finding in monitor.findings]


def entropy(share):
    return -share * np.log(share) - (1 - share) * np.log(1 - share)


def test_record_is_that_of_numpy():
    model = model_of()
    record = watched(model=model, validation=VALIDATION, epochs=2).record
    assert record["epoch"].tolist() == [0, 1]
    for prefix, (x, y) in {"": (X, Y), "val_": VALIDATION}.items():
        p = np.asarray(model.predict(x, verbose=0), "float64")
        masks, answers = y.reshape(len(y), -1), p.reshape(len(p), -1)
        expected = {
            "images": len(x),
            "steps": -(-len(x) // 4),
            "batch_size": 4,
            "input_min": x.min(),
            "input_std": x.std(dtype="float64"),
            "target_max": 1,
            "target_other": 0,
            "foreground": y.mean(),
            "empty": (masks.max(axis=1) == 0).mean(),
            "output_mean": p.mean(),
            "output_std": p.std(),
            "output_spread": answers.std(axis=1).mean(),
            "above": (p > 0.5).mean(),
            "near": (np.abs(p - 0.5) <= 0.05).mean(),
            "constant_jaccard": y.mean(),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(record[prefix + name], [value] * 2, rtol=1e-5, atol=1e-7, err_msg=name)
        # The mask on which it is evaluated has 4096 pixels.
        np.testing.assert_allclose(record[f"{prefix}constant_loss"], entropy(y.mean(dtype="float64")), atol=1e-3)
        np.testing.assert_allclose(record[f"{prefix}constant_output"], y.mean(), atol=2e-3)


def test_logs():
    model, monitor = model_of(), BatchMonitor(name="mine")
    history = model.fit(X, Y, validation_data=VALIDATION, validation_freq=2, epochs=2, verbose=0, callbacks=[monitor])
    own = {name for name in history.history if "mine" in name}
    assert own == {"mine_foreground", "mine_near", "val_mine_foreground", "val_mine_near"}
    assert history.history["mine_foreground"] == pytest.approx([Y.mean()] * 2)
    assert history.history["val_mine_foreground"] == pytest.approx([VALIDATION[1].mean()])
    np.testing.assert_array_equal(np.isnan(monitor.record["val_images"]), [True, False])


def test_constant_answer_is_the_best_a_model_without_weights_of_pixels_can_do():
    """A bias alone, trained until it is at its best, by the very loss."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="zeros")])
    model.add(keras.layers.Activation("sigmoid"))
    model.compile(keras.optimizers.SGD(2.0), BinaryFocalLoss(2.0))
    monitor = BatchMonitor()
    history = model.fit(X * 0, Y, batch_size=10, epochs=60, verbose=0, callbacks=[monitor])
    assert history.history["loss"][-1] == pytest.approx(monitor.record["constant_loss"][-1], abs=2e-3)
    assert monitor.record["output_mean"][-1] == pytest.approx(monitor.record["constant_output"][-1], abs=1e-2)


BINARY = {"loss": "binary_crossentropy"}
NAN = np.where(np.arange(36).reshape(6, 6, 1) == 7, np.nan, X)


@pytest.mark.parametrize(
    ("expected", "x", "y", "model"),
    [
        ([], X, Y, BINARY),
        ([], X, X, {"loss": "mse"}),
        (["labels.scale"], X, Y * 255, {"loss": "mse"}),
        (
            ["labels.scale"],
            X,
            Y * 2,
            {"loss": keras.losses.BinaryCrossentropy(from_logits=True), "activation": "linear"},
        ),
        (["labels.fractional"], X, Y * 0.9, BINARY),
        (["labels.empty"], X, Y * 0, BINARY),
        (["inputs.unscaled"], X * 255, Y, {"loss": "mse", "activation": "tanh"}),
        (["labels.nonfinite", "outputs.nonfinite"], X, np.where(NAN == NAN, Y, np.nan), {"loss": "mse"}),
        (["inputs.nonfinite", "outputs.nonfinite"], NAN, Y, {"loss": "mse"}),
        (["outputs.constant"], X * 0, Y, BINARY),
    ],
)
def test_findings(expected, x, y, model):
    monitor = watched(x, y, model_of(**model), epochs=2)
    assert codes(monitor) == expected
    assert {epoch for epoch, _ in monitor.findings} <= {0}
    assert {finding.level for _, finding in monitor.findings} <= {"watch"}


@pytest.mark.skipif(keras.config.backend() == "torch", reason="Keras 3.15 on PyTorch can't train with it on the CPU")
def test_classes_as_whole_numbers_are_no_trouble():
    model = model_of("sparse_categorical_crossentropy", activation="softmax", channels=3)
    monitor = watched(X, (Y * 2).astype("int32"), model)
    assert codes(monitor) == []
    shares = np.array([1 - Y.mean(), Y.mean()], "float64")
    np.testing.assert_allclose(monitor.record["constant_loss"], -(shares * np.log(shares)).sum(), atol=1e-3)
    assert np.isnan(monitor.record["constant_jaccard"]).all()


def test_outputs_out_of_range():
    """PyTorch's own loss raises where outputs leave [0, 1]."""
    monitor = watched(model=model_of("dice", activation="linear", rate=0.0))
    assert codes(monitor) == ["outputs.range"]
    assert codes(watched(model=model_of(keras.losses.BinaryCrossentropy(from_logits=True), activation="linear"))) == []


def test_a_model_that_scales_its_inputs_may_be_given_any():
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    assert codes(watched(X * 255, Y, model)) == []


def test_finding_names_the_set():
    monitor = watched(validation=(X[:4], Y[:4] * 0))
    ((_, finding),) = monitor.findings
    assert (finding.code, "validation" in finding.seen, "training" in finding.seen) == ("labels.empty", True, False)


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            raise RuntimeError("stopped")


def test_reads_what_an_exception_left_and_carries_on():
    model, monitor = model_of(), BatchMonitor()
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(X, Y, batch_size=4, verbose=0, callbacks=[monitor, Stop()])
    assert monitor.read().keys() == {"batch_foreground", "batch_near"}
    assert monitor.record["images"].tolist() == [8]
    model.fit(X, Y, batch_size=4, initial_epoch=1, epochs=2, verbose=0, callbacks=[monitor])
    assert monitor.record["images"].tolist() == [8, 10]
    assert monitor.record["epoch"].tolist() == [0, 1]
    assert monitor.read() == {}


def test_constant_loss_is_that_of_the_loss_compiled_last():
    model, monitor = model_of("mean_squared_error"), BatchMonitor()
    watched(model=model, monitor=monitor)
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    model.fit(X, Y, batch_size=4, initial_epoch=1, epochs=2, verbose=0, callbacks=[monitor])
    share = Y.mean(dtype="float64")
    np.testing.assert_allclose(monitor.record["constant_loss"], [share * (1 - share), entropy(share)], rtol=1e-3)


def test_what_a_model_of_the_users_own_hands_over():
    """Its own `compute_metrics` is called as ever; one that its `test_step` does not call is not seen."""

    class Own(keras.Sequential):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return super().compute_metrics(x, y, y_pred, sample_weight) | {"own": 1.0}

    model, monitor = Own([keras.Input((6, 6, 1)), keras.layers.Conv2D(1, 1)]), BatchMonitor()
    model.compile("sgd", "mse")
    history = model.fit(X, Y, batch_size=4, validation_data=VALIDATION, verbose=0, callbacks=[monitor]).history
    assert {"own", "val_own"} <= history.keys()
    assert (monitor.record["images"].tolist(), monitor.record["val_images"].tolist()) == ([10], [4])


def test_sample_weights_do_not_count():
    weighted, plain = BatchMonitor(), watched()
    weights = RNG.random((10, 1, 1))
    model_of().fit(X, Y, batch_size=4, sample_weight=weights, verbose=0, callbacks=[weighted])
    np.testing.assert_array_equal(weighted.record["foreground"], plain.record["foreground"])


@pytest.mark.parametrize("threshold", [np.nan, np.inf, "0.5", None, True])
def test_refuses_a_threshold_that_is_no_number(threshold):
    with pytest.raises(ValueError, match=r"`threshold` must be a finite number.*Received: threshold="):
        BatchMonitor(threshold)


@pytest.mark.parametrize("validated", [False, True])
def test_with_weights_the_constant_answer_is_not_known(validated):
    """The logged loss is a weighted one; the same of the validation only where that has weights too."""
    model, weights = model_of(), np.full((10, 6, 6), 3.0, "float32")
    monitor = BatchMonitor()
    validation = (*VALIDATION, weights[:4]) if validated else VALIDATION
    model.fit(X, Y, sample_weight=weights, batch_size=4, validation_data=validation, verbose=0, callbacks=[monitor])
    assert np.isnan(monitor.record["constant_loss"]).all()
    assert np.isnan(monitor.record["constant_output"]).all()
    assert np.isnan(monitor.record["val_constant_loss"]).all() == validated
    np.testing.assert_allclose(monitor.record["constant_jaccard"], Y.mean(), rtol=1e-5)
