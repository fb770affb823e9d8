"""What goes through a model, against NumPy on the same batches; and that nothing is left of it."""

import gc
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.batch_statistics import BatchStatistics
from unetdyn.dynamics.batch_sums import BatchSums
from ways_to_train import WAYS_TO_TRAIN, supported

BACKEND = keras.config.backend()
RNG = np.random.default_rng(5)
X = RNG.normal(3, 2, (22, 6, 5, 2)).astype("float32")
Y = (RNG.random((22, 6, 5, 1)) < 0.3).astype("float32")
Y[[4, 17]] = 0
VALIDATION = X[:7] * 2, 1 - Y[:7]


def identity(x):
    """A model whose weights do not move, so that all its outputs are known: the second channel."""
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Conv2D(1, 1, use_bias=False)])
    model.layers[0].set_weights([np.array([0.0, 1.0]).reshape(1, 1, 2, 1)])
    return model


def compiled(loss="mse", gradient_accumulation_steps=None, **options):
    model = identity(X)
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=gradient_accumulation_steps)
    model.compile(optimizer, loss, **options)
    return model


def by_numpy(x, y, p, threshold=0.5, batch=4):
    """The same by brute force, in float64."""
    found = {"images": len(x), "steps": -(-len(x) // batch), "batch_size": min(batch, len(x))}
    for part, values in (("input", x), ("target", y), ("output", p)):
        values = np.asarray(values, "float64")
        finite = values[np.isfinite(values)]
        found |= {f"{part}_{of}": getattr(finite, of)() for of in ("min", "max", "mean", "std")}
        found[f"{part}_nonfinite"] = 1 - np.isfinite(values).mean()
    masks = np.asarray(y, "float64").reshape(len(y), -1)
    answers = np.asarray(p, "float64").reshape(len(p), -1)
    spreads = [image[np.isfinite(image)].std() for image in answers if np.isfinite(image).any()]
    whole = np.where(np.isfinite(masks), masks, 0)
    return found | {
        "target_fractional": (whole != np.floor(whole)).mean(),
        "target_other": ((masks != 0) & (masks != 1)).mean(),
        "foreground": (masks > 0.5).mean(),
        "empty": (~(masks > 0.5).any(axis=1)).mean(),
        "target_share": masks.size / answers.size,
        "output_spread": np.mean(spreads),
        "above": (answers > threshold).mean(),
        "near": (np.abs(answers - threshold) <= 0.05).mean(),
    }


def assert_found(found, expected, rtol=2e-6):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("way", [supported(way) for way, options in WAYS_TO_TRAIN.items() if "dtype" not in options])
def test_every_number_is_that_of_numpy(way):
    """Training and validation apart, over two epochs, with a last batch that is smaller."""
    model = compiled(**WAYS_TO_TRAIN[way])
    statistics = BatchStatistics(model, 0.5)
    model.fit(X, Y, batch_size=4, epochs=2, validation_data=VALIDATION, shuffle=True, verbose=0)
    expected = by_numpy(X, Y, X[..., 1:])
    assert_found(statistics.take(), expected | {"images": 44, "steps": 12})
    expected = by_numpy(*VALIDATION, VALIDATION[0][..., 1:])
    assert_found(statistics.take(training=False), expected | {"images": 14, "steps": 4})
    assert statistics.take()["images"] == statistics.take(training=False)["steps"] == 0
    statistics.detach()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "float64"])
def test_types_of_targets(dtype):
    model = compiled()
    statistics = BatchStatistics(model, 0.5)
    targets = (Y * 3).astype(dtype)
    model.fit(X, targets, batch_size=4, verbose=0)
    assert_found(statistics.take(), by_numpy(X, targets, X[..., 1:]))


def test_mixed_precision():
    x = X.astype("float16").astype("float32")
    model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Conv2D(1, 1, dtype="mixed_bfloat16")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    statistics = BatchStatistics(model, 0.5)
    model.fit(x, Y, batch_size=4, verbose=0)
    assert_found(statistics.take(), by_numpy(x, Y, np.asarray(model.predict(x, verbose=0), "float32")), rtol=2e-2)


def test_what_is_not_finite_is_counted_and_left_out():
    x, y = X.copy(), Y.copy()
    x[1, 2, 2] = np.nan
    x[3] = np.inf
    y[5, 0, 0] = -np.inf
    sums = BatchSums([0.5])
    state = keras.ops.array(sums.start)
    for first in range(0, 22, 4):
        part = slice(first, first + 4)
        state = sums.add(state, *map(keras.ops.array, (x[part], y[part], x[part, ..., 1:])))
    found = {name.removesuffix("_0.5"): value for name, value in sums.read([to_numpy(state)]).items()}
    assert_found(found, by_numpy(x, y, x[..., 1:]))


def to_numpy(state):
    return np.array(keras.ops.convert_to_numpy(state))


def test_a_large_constant_does_not_swallow_the_spread():
    x = (1e4 + RNG.normal(size=X.shape)).astype("float32")
    sums = BatchSums([0.5])
    state = keras.ops.array(sums.start)
    for first in range(0, 22, 4):
        state = sums.add(state, *[keras.ops.array(x[first : first + 4])] * 3)
    found = sums.read([to_numpy(state)])
    np.testing.assert_allclose(found["input_mean"], x.mean(dtype="float64"), rtol=1e-7)
    np.testing.assert_allclose(found["input_std"], x.std(dtype="float64"), rtol=1e-3)


def test_many_steps_lose_nothing():
    """Adding 2000 times in float32 is off by several parts in a million, if nothing is done."""
    model = keras.Sequential([keras.Input((7,)), keras.layers.Rescaling(1.0)])
    model.compile(loss="mse")
    statistics = BatchStatistics(model, 0.5)
    x = RNG.random((1000, 7)).astype("float32") + 0.1
    for _ in range(2):
        model.evaluate(x, x, batch_size=1, verbose=0)
    found = statistics.take(training=False)
    assert (found["images"], found["steps"]) == (2000, 2000)
    np.testing.assert_allclose(found["input_mean"], x.mean(dtype="float64"), rtol=2e-7)
    np.testing.assert_allclose(found["foreground"], (x > 0.5).mean(), rtol=2e-7)
    statistics.detach()


def test_states_of_several_replicas_are_one():
    sums = BatchSums([0.5])
    starts = [keras.ops.array(sums.start)] * 2
    parts = [slice(0, 10), slice(10, 22)]
    states = [
        to_numpy(sums.add(start, *map(keras.ops.array, (X[part], Y[part], X[part, ..., 1:]))))
        for start, part in zip(starts, parts, strict=True)
    ]
    found = {name.removesuffix("_0.5"): value for name, value in sums.read([*states, sums.start]).items()}
    assert_found(found, by_numpy(X, Y, X[..., 1:], batch=12))


MIRRORED = """
    import keras, numpy as np, tensorflow as tf
    from unetdyn.dynamics.batch_statistics import BatchStatistics
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = keras.Sequential([keras.Input((4, 1)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
    statistics = BatchStatistics(model, 0.5)
    x = np.random.default_rng(0).normal(5, 2, (24, 4, 1)).astype("float32")
    model.fit(x, x, batch_size=8, epochs=2, verbose=0, validation_data=(x[:8] / 2, x[:8]))
    for training, seen in ((True, x), (False, x[:8] / 2)):
        found = statistics.take(training)
        assert (found["images"], found["steps"]) == (2 * len(seen), 2 * len(seen) / 8), found
        assert found["batch_size"] == 8
        for of in ("min", "max", "mean", "std"):
            np.testing.assert_allclose(found[f"input_{of}"], getattr(seen, of)(), rtol=1e-5)
    statistics.detach()
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute")
def test_replicas():
    """In a process of its own, since the number of devices is fixed when the backend starts."""
    run = [sys.executable, "-c", textwrap.dedent(MIRRORED)]
    result = subprocess.run(run, env=os.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("one_hot", [True, False])
def test_shares_of_classes(one_hot):
    labels = RNG.integers(0, 3, (10, 4, 4))
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 1, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy")
    statistics = BatchStatistics(model, 0.5)
    model.evaluate(np.ones((10, 4, 4, 2)), np.eye(3)[labels] if one_hot else labels, batch_size=4, verbose=0)
    found = statistics.take(training=False)
    expected = np.bincount(labels.ravel()) / labels.size
    np.testing.assert_allclose([found[f"class_{number}"] for number in range(3)], expected, rtol=1e-6)
    assert found["target_share"] == pytest.approx(1 if one_hot else 1 / 3)
    statistics.detach()


def test_several_inputs_and_outputs_are_unknown():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    outputs = [keras.layers.Dense(1, name="a")(inputs[0]), keras.layers.Dense(1, name="b")(inputs[1])]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", ["mse", "mse"])
    statistics = BatchStatistics(model, 0.5)
    model.fit([X[:, :4, 0, 0]] * 2, [Y[:, 0, 0]] * 2, batch_size=4, verbose=0)
    found = statistics.take()
    assert (found.pop("images"), found.pop("steps"), found.pop("batch_size")) == (22, 6, 4)
    assert set(found) > {"input_max", "foreground", "near"}
    assert np.isnan(list(found.values())).all()
    statistics.detach()


def test_logs_and_lists_of_metrics_are_as_ever():
    model = compiled(metrics=["mae"])
    before = model.fit(X, Y, batch_size=4, shuffle=False, validation_data=VALIDATION, verbose=0).history
    statistics = BatchStatistics(model, 0.5)
    after = model.fit(X, Y, batch_size=4, shuffle=False, validation_data=VALIDATION, verbose=0).history
    assert list(before) == list(after) == ["loss", "mae", "val_loss", "val_mae"]
    assert len(model.evaluate(*VALIDATION, verbose=0)) == 2
    statistics.detach()
    assert [type(metric).__name__ for metric in model.metrics] == ["Mean", "CompileMetrics"]
    assert not {"compute_metrics", "test_step"} & vars(model).keys()


def test_readers_share_the_sums_and_each_gets_its_own():
    model = compiled()
    counts, low = BatchStatistics(model), BatchStatistics(model, 0.1)
    high = BatchStatistics(model, 4)
    tracked = len(model.metrics)
    model.fit(X, Y, batch_size=4, verbose=0)
    assert tracked == len(compiled().metrics) + 1
    assert counts.take() == {"images": 22, "steps": 6, "batch_size": 4}
    assert_found(low.take(), by_numpy(X, Y, X[..., 1:], threshold=0.1))
    assert_found(high.take(), by_numpy(X, Y, X[..., 1:], threshold=4))
    low.detach()
    model.fit(X, Y, batch_size=2, verbose=0)
    assert low.take()["images"] == 0
    high.detach()
    counts.detach()
    assert counts.take() == {"images": 22, "steps": 11, "batch_size": 2}
    assert len(model.metrics) == tracked - 1


@pytest.mark.parametrize("statistics_first", [True, False])
def test_together_with_a_tap(statistics_first):
    model = compiled()
    statistics = BatchStatistics(model, 0.5) if statistics_first else None
    tap = OptimizerTap(model, capacity=2)
    statistics = statistics or BatchStatistics(model, 0.5)
    model.fit(X, Y, batch_size=2, verbose=0)
    assert len(tap.read()) == statistics.take()["steps"] == 11
    statistics.detach()
    model.fit(X, Y, batch_size=2, verbose=0)
    assert len(tap.read()) == 11
    tap.detach()
    assert not {"compute_metrics", "test_step", "make_train_function"} & vars(model).keys()


def test_another_evaluation_in_an_epoch_is_no_training():
    class Evaluate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.evaluate(X[:3], Y[:3], verbose=0)

    model = compiled()
    statistics = BatchStatistics(model, 0.5)
    model.fit(X, Y, batch_size=4, verbose=0, callbacks=[Evaluate()])
    assert_found(statistics.take(), by_numpy(X, Y, X[..., 1:]))
    assert statistics.take(training=False)["images"] == 3
    statistics.detach()


class Session(keras.callbacks.Callback):
    """Attaches as a monitor does; raises if it is told so."""

    def __init__(self, fails):
        super().__init__()
        self.fails = fails

    def on_train_begin(self, logs=None):
        self.statistics = BatchStatistics(self.model, 0.5, session=self.params)

    def on_train_batch_end(self, batch, logs=None):
        if self.fails and batch == 1:
            raise RuntimeError("stopped")


def test_what_an_exception_leaves_goes_with_the_next_fit():
    model = compiled()
    session = Session(fails=True)
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(X, Y, batch_size=4, verbose=0, callbacks=[session])
    assert session.statistics.attached
    model.fit(X, Y, batch_size=4, verbose=0)
    assert not session.statistics.attached
    assert session.statistics.take()["steps"] == 2
    assert not {"compute_metrics", "test_step"} & vars(model).keys()


def test_a_reader_that_nobody_holds_goes_with_the_next_epoch():
    model = compiled()
    BatchStatistics(model, 0.5)
    gc.collect()
    model.fit(X, Y, batch_size=4, verbose=0)
    assert not {"compute_metrics", "test_step"} & vars(model).keys()


def test_a_second_session_with_another_threshold_is_traced_anew():
    model = compiled()
    for threshold in (0.5, 3.0):
        statistics = BatchStatistics(model, threshold)
        model.fit(X, Y, batch_size=4, verbose=0, validation_data=VALIDATION)
        assert_found(statistics.take(), by_numpy(X, Y, X[..., 1:], threshold=threshold))
        expected = by_numpy(*VALIDATION, VALIDATION[0][..., 1:], threshold=threshold)
        assert_found(statistics.take(training=False), expected)
        statistics.detach()


def test_refuses_a_model_that_is_not_compiled():
    with pytest.raises(ValueError, match=r"`model` must have been compiled.*Received: model="):
        BatchStatistics(identity(X))


def test_a_train_step_that_updates_all_metrics_of_the_model():
    """As in Keras' guide to a `train_step` of one's own."""

    class Guide(keras.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            for metric in self.metrics:
                if metric.name != "loss":
                    metric.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    inputs = keras.Input((4, 4, 1))
    model = Guide(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    statistics = BatchStatistics(model, 0.5)
    model.fit(np.ones((4, 4, 4, 1)), np.ones((4, 4, 4, 1)), batch_size=2, verbose=0)
    assert statistics.take()["steps"] == 2
    statistics.detach()
