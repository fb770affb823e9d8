"""ThresholdFlipMonitor against predictions of the same epochs and loops over their pixels."""

import keras
import numpy as np
import pytest

from probe_models import images, jaccard, network
from unetdyn.analysis import threshold_curve
from unetdyn.callbacks import ThresholdFlipMonitor

X, Y = images()


class Planted(keras.layers.Layer):
    """Answers with maps given beforehand, whatever it is asked; the epoch is set by `Turn`."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps
        self.shown = self.add_weight(shape=maps[0].shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs):
        return self.shown + 0 * inputs + 0 * self.scale


class Turn(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        layer = self.model.layers[-1]
        layer.shown.assign(layer.maps[epoch])


def watched(maps, target, monitor, loss="mse"):
    """A training whose model answers `maps[epoch]` at the end of each epoch, on images that do not matter."""
    inputs = keras.Input(batch_shape=maps[0].shape)
    model = keras.Model(inputs, Planted(maps)(inputs))
    model.compile("sgd", loss)
    monitor.probe, monitor.batch_size = (target, target), len(target)
    history = model.fit(
        target, target, batch_size=len(target), epochs=len(maps), verbose=0, callbacks=[Turn(), monitor]
    )
    return monitor.record, history.history


def planted(epochs=7, seed=0):
    rng = np.random.default_rng(seed)
    target = np.zeros((3, 6, 7, 1), "float32")
    target[:, 1:4, 2:6] = 1
    p = np.clip(0.5 + 0.15 * (target - 0.5) + 0.2 * rng.normal(size=(epochs, *target.shape)), 0, 1)
    return list(p.astype("float32")), target


def near_boundary(target, image, row, column):
    window = target[image, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2, 0]
    return 0 < window.sum() < window.size


def test_record_is_what_loops_over_the_pixels_count():
    maps, target = planted()
    record, history = watched(maps, target, ThresholdFlipMonitor(budget=None))
    pixels = list(np.ndindex(target.shape[:3]))
    counts = np.zeros(target.shape[:3], int)
    for epoch, p in enumerate(maps):
        assert record["jaccard"][epoch] == pytest.approx(jaccard(target, p))
        soft = (p * target).sum() / (p + target - p * target).sum()
        assert record["soft_jaccard"][epoch] == pytest.approx(soft, rel=1e-5)
        curve = threshold_curve(target, p)
        assert record["best_jaccard"][epoch] == curve.best_jaccard == max(curve.jaccard)
        assert record["best_threshold"][epoch] == curve.best_threshold
        assert record["near"][epoch] == pytest.approx(np.mean(np.abs(p - 0.5) <= 0.05))
        if epoch:
            before = maps[epoch - 1]
            on = [place for place in pixels if p[place][0] > 0.5 >= before[place][0]]
            off = [place for place in pixels if before[place][0] > 0.5 >= p[place][0]]
            for place in on + off:
                counts[place] += 1
            assert record["on"][epoch] == pytest.approx(len(on) / len(pixels))
            assert record["off"][epoch] == pytest.approx(len(off) / len(pixels))
            for name, group in (("on_boundary", on), ("off_boundary", off)):
                edge = sum(near_boundary(target, *place) for place in group)
                assert record[name][epoch] == pytest.approx(edge / len(pixels))
    assert all(np.isnan(record[name][0]) for name in ("on", "off", "jaccard_change", "explained_on"))
    np.testing.assert_array_equal(record["flip_count"], counts)
    np.testing.assert_array_equal(record["target"], target[..., 0] > 0.5)
    change = np.diff(record["jaccard"])
    np.testing.assert_allclose(record["jaccard_change"][1:], change)
    np.testing.assert_allclose((record["explained_on"] + record["explained_off"])[1:], change, atol=1e-14)
    np.testing.assert_allclose((record["explained_boundary"] + record["explained_inside"])[1:], change, atol=1e-14)
    np.testing.assert_allclose(history["flips_rate"], (record["on"] + record["off"])[1:])
    np.testing.assert_allclose(history["flips_best_jaccard"], record["best_jaccard"])


def test_chronic_flippers_are_counted_over_the_window():
    target = np.ones((1, 2, 2, 1), "float32")
    high, low = np.full_like(target, 0.9), np.full_like(target, 0.9)
    low[0, 0, 0] = 0.1
    record, _ = watched(
        [high, low, high, low, high, high, high, high, high], target, ThresholdFlipMonitor(budget=None, window=4)
    )
    np.testing.assert_allclose(record["chronic"], [np.nan] * 4 + [0.25, 0.25, 0, 0, 0])
    assert record["flip_count"].max() == 4


def test_jump_with_many_pixels_near_the_threshold_is_told():
    _, target = planted()
    crowded = [np.where(target > 0, 0.5 + shift, 0.2).astype("float32") for shift in (0.01, -0.01, -0.01)]
    monitor = ThresholdFlipMonitor(budget=None)
    record, _ = watched(crowded, target, monitor)
    assert [(epoch, found.code) for epoch, found in monitor.findings] == [(1, "threshold.flips")]
    assert monitor.findings[0][1].level == "watch"
    assert list(record["jaccard"]) == [1, 0, 0]
    assert list(record["best_jaccard"]) == [1, 1, 1]
    assert "explain -" in monitor.findings[0][1].seen


def test_same_jump_of_sure_probabilities_is_not():
    _, target = planted()
    monitor = ThresholdFlipMonitor(budget=None)
    watched([target, 1 - target], target, monitor)
    assert monitor.findings == []


def test_logits_are_read_as_probabilities():
    maps, target = planted(3)
    logits = [np.log(np.clip(p, 1e-3, 1 - 1e-3) / (1 - np.clip(p, 1e-3, 1 - 1e-3))) for p in maps]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    record, _ = watched(logits, target, ThresholdFlipMonitor(budget=None), loss)
    np.testing.assert_allclose(record["jaccard"], [jaccard(target, p) for p in maps])
    near = [np.mean(np.abs(p - 0.5) <= 0.05) for p in maps]
    np.testing.assert_allclose(record["near"], near, atol=0.01)


@pytest.mark.parametrize("kind", ["outside", "not finite", "classes"])
def test_what_are_no_probabilities_of_one_class_is_nan_and_said_once(kind):
    maps, target = planted(3)
    if kind == "outside":
        maps = [3 * p for p in maps]
    elif kind == "not finite":
        maps = [p * np.nan for p in maps]
    else:
        maps, target = [np.concatenate([p, 1 - p], -1) for p in maps], np.concatenate([target, 1 - target], -1)
    monitor = ThresholdFlipMonitor(budget=None)
    record, history = watched(maps, target, monitor)
    assert np.isnan(record["jaccard"]).all()
    assert not {"flips_rate", "flips_best_jaccard"} & history.keys()
    assert [finding.code for _, finding in monitor.findings] == ["probe.not_applicable"]


def test_change_is_since_the_last_epoch_that_was_measured():
    maps, target = planted(5)
    record, _ = watched(maps, target, ThresholdFlipMonitor(budget=1e-9))
    assert list(np.isfinite(record["jaccard"])) == [True, True, False, False, True]
    assert record["jaccard_change"][4] == pytest.approx(record["jaccard"][4] - record["jaccard"][1])


def test_a_window_too_short_is_refused():
    with pytest.raises(ValueError, match=r"`window` must be a whole number of changes, 4 or more"):
        ThresholdFlipMonitor(window=3)


def test_validation_images_are_what_predict_says():
    monitor = ThresholdFlipMonitor(budget=None)
    model = network()
    model.fit(X, Y, validation_data=(X[:6], Y[:6]), epochs=2, verbose=0, callbacks=[monitor])
    predicted = model.predict(X[:6], verbose=0)
    assert monitor.record["jaccard"][-1] == pytest.approx(jaccard(Y[:6], predicted))
