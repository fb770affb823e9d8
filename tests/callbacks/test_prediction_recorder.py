"""PredictionRecorder against what the model said in the epochs that it kept."""

import keras
import numpy as np
import pytest

from probe_models import images, jaccard, network
from unetdyn import runs
from unetdyn.callbacks import PredictionRecorder, RunRecorder, ThresholdFlipMonitor, TrainInferenceGapMonitor
from unetdyn.callbacks.prediction_recorder import with_gates
from unetdyn.models import AttentionUNet, UNet, attention_model

pytestmark = pytest.mark.usefixtures("untraced")

X, Y = images(8)


class Said(keras.callbacks.Callback):
    """What the model predicts at the end of each epoch, asked for by itself; before it the weights may be exchanged."""

    def __init__(self, x):
        super().__init__()
        self.x, self.said = x, []

    def on_epoch_end(self, epoch, logs=None):
        self.said.append(keras.ops.convert_to_numpy(self.model(self.x, training=False)))


def of_tiles(found, maps):
    """The parts of whole maps that belong to the tiles."""
    height, width = found.shape[1:3]
    return np.stack([maps[i, row : row + height, column : column + width, 0] for i, row, column in found.places])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One training: images that are cut into tiles, kept in every third epoch and in those that are better."""
    model, said = network(metrics=[keras.metrics.MeanAbsoluteError(name="mae")]), Said(X)
    recorder = PredictionRecorder(each=2, every=3, budget=None)
    recorder.size = 5
    written = RunRecorder(tmp_path_factory.mktemp("run"), monitors=[recorder], save_best="auto")
    history = model.fit(
        *images(8, seed=1),
        batch_size=4,
        epochs=8,
        validation_data=(X, Y),
        verbose=0,
        callbacks=[said, recorder, written],
    ).history
    return recorder, said, history, written


def test_kept_are_the_first_the_last_every_few_and_the_best(trained):
    recorder, _, history, written = trained
    better = [epoch for epoch, mae in enumerate(history["val_mae"]) if mae <= min(history["val_mae"][: epoch + 1])]
    assert recorder.predictions.epochs == tuple(sorted({0, 2, 5, 7, *better}))
    assert recorder.predictions.best == written.best[0] == int(np.argmin(history["val_mae"]))


def test_what_is_kept_is_what_the_model_said(trained):
    recorder, said, history, _ = trained
    found = recorder.predictions
    assert found.shape == (8, 5, 5, 1)
    mask = of_tiles(found, Y) > 0.5
    np.testing.assert_array_equal(found.mask, mask)
    for epoch in found.epochs:
        p = of_tiles(found, said.said[epoch])
        np.testing.assert_allclose(found.probability(epoch), p, atol=1 / 512 + 1e-5)
        assert recorder.record["jaccard"][epoch] == pytest.approx(jaccard(mask, p))
        assert history["predictions_jaccard"][epoch] == recorder.record["jaccard"][epoch]
    skipped = sorted(set(range(8)) - set(found.epochs))
    assert np.isnan(recorder.record["jaccard"][skipped]).all()
    assert not recorder.record["seconds"][skipped].any()
    order = np.argsort(of_tiles(found, X), axis=None, kind="stable")
    assert (np.diff(found.image.ravel()[order].astype(int)) >= 0).all()


def test_run_has_what_the_recorder_keeps_and_its_cost(trained):
    recorder, _, _, written = trained
    run = runs.open(written.path)
    assert run.predictions.epochs == recorder.predictions.epochs
    np.testing.assert_array_equal(run.predictions.probability(7), recorder.predictions.probability(7))
    np.testing.assert_array_equal(run.arrays("predictions")["jaccard"], recorder.record["jaccard"])
    assert run.summary["predictions"]["cost"]["measured"] == len(recorder.predictions.epochs)
    assert run.monitors["predictions"]["displays"][0]["display"] == "PredictionDisplay"


def test_nothing_is_written_where_nothing_is_new(trained):
    """As an epoch's end asks it."""
    recorder = PredictionRecorder()
    assert recorder.record_since(0) is None
    recorder._compiles, recorder._predicted_in, recorder._epoch = False, 4, 5
    assert recorder.record_since(0) == (1, {})
    recorder._epoch = 4
    assert recorder.record_since(0) is None


def test_averages_predict_where_they_are_validated_and_gates_are_kept():
    """With SwapEMAWeights after it, whose averages are not in the model when it looks."""
    keras.utils.set_random_seed(0)
    model = AttentionUNet((16, 16, 1), filters=2, depth=2, seed=0)
    model.compile(keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9), "binary_crossentropy")
    x, y = images(4, size=16)
    recorder = PredictionRecorder(budget=None, each=1)
    weights = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[recorder, keras.callbacks.SwapEMAWeights()])
    # `fit` ends with the averages in the model.
    found, said = recorder.predictions, keras.ops.convert_to_numpy(model(x, training=False))
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(weights, model.get_weights(), strict=True))
    np.testing.assert_allclose(found.probability(1), of_tiles(found, said), atol=1 / 512 + 1e-5)
    maps = attention_model(model)(x)
    assert sorted(found.gates(1)) == ["gate1", "gate2"]
    for name, alpha in found.gates(1).items():
        expected = keras.ops.convert_to_numpy(maps[name])[found.places[:, 0], ..., 0]
        np.testing.assert_allclose(alpha, expected, atol=1 / 512 + 1e-5)


def test_first_of_several_outputs_is_what_probe_monitors_look_at():
    """Under deep supervision it has full resolution; the loss is that of all of them."""
    model = UNet((16, 16, 1), filters=2, depth=2, deep_supervision=True, output="logits", seed=0)
    losses = [keras.losses.BinaryCrossentropy(from_logits=True) for _ in range(2)]
    model.compile("adam", losses, loss_weights=[0.5, 0.25])
    x, y = images(4, size=16)
    labels = [y, y[:, 1::2, 1::2]]
    recorder, gap, flips = PredictionRecorder(each=1), TrainInferenceGapMonitor(), ThresholdFlipMonitor()
    callbacks = [recorder, gap, flips]
    history = model.fit(x, labels, validation_data=(x, labels), verbose=0, callbacks=callbacks).history

    logits = keras.ops.convert_to_numpy(model(x, training=False)[0])
    found, p = recorder.predictions, 1 / (1 + np.exp(-of_tiles(recorder.predictions, logits)))
    np.testing.assert_allclose(found.probability(0), p, atol=1 / 512 + 1e-5)
    np.testing.assert_array_equal(found.mask, of_tiles(found, y) > 0.5)
    assert flips.record["jaccard"][0] == pytest.approx(jaccard(y, logits + 0.5))
    assert gap.record["inference_jaccard"][0] == pytest.approx(jaccard(y, logits + 0.5))
    assert gap.record["inference_loss"][0] == pytest.approx(history["val_loss"][0], rel=1e-4)
    assert not [finding for monitor in callbacks for _, finding in monitor.findings]


def test_model_without_gates_has_no_model_of_them():
    assert with_gates(UNet((16, 16, 1), filters=1, depth=1)) is None
    assert with_gates(keras.Sequential([keras.layers.Dense(1)])) is None
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="gate1_multiply")])
    assert with_gates(other) is None


def looked_at(maps, y, **arguments):
    """A recorder that was given such outputs, without a training."""

    class Planted(PredictionRecorder):
        def _forward(self, probe):
            return [{False: {"outputs": maps[: len(probe.x)]}}]

    recorder = Planted(**arguments)
    recorder.set_model(network())
    recorder.on_train_begin()
    recorder.on_epoch_begin(0)
    recorder.probe, recorder.images, recorder.batch_size = (y, y), len(y), len(y)
    recorder.on_epoch_end(0, {})
    return recorder


def test_no_more_tiles_are_kept_than_there_is_room_for():
    rng = np.random.default_rng(0)
    y = (rng.random((8, 128, 128, 1)) > 0.5).astype("float32")
    recorder = looked_at(rng.random(y.shape).astype("float32"), y, max_bytes=2**17 + 2**16)
    record = recorder.record
    assert recorder.predictions.shape[0] == 1
    sizes = [record["image"].nbytes, record["mask"].nbytes, *(each.nbytes for each in record["probability"].values())]
    for epoch in range(1, 30):
        recorder.on_epoch_begin(epoch)
        recorder._forward = lambda probe: [{False: {"outputs": rng.random(probe.y.shape).astype("float32")}}]
        recorder.budget, recorder.every = None, 1
        recorder.on_epoch_end(epoch, {})
        record = recorder.record
        sizes = [record["image"].nbytes, record["mask"].nbytes, *(e.nbytes for e in record["probability"].values())]
        assert sum(sizes) <= 2**17 + 2**16
    assert 3 <= len(recorder.predictions.epochs) < 30
    assert {0, 29} <= set(recorder.predictions.epochs)


def test_tile_that_has_no_room_at_all_is_told():
    y = np.zeros((2, 256, 256, 1), "float32")
    recorder = looked_at(y, y, max_bytes=2**16)
    assert recorder.predictions is None
    ((_, found),) = recorder.findings
    assert found.code == "probe.not_applicable"
    assert "a tile of 256 × 256 pixels needs 393216 bytes, and max_bytes is 65536" in found.sentence


@pytest.mark.parametrize("maps", [3 * Y, np.nan * Y, np.concatenate([Y, Y], -1)])
def test_what_are_no_probabilities_of_one_class_is_told_once(maps):
    recorder = looked_at(maps, Y)
    recorder.on_epoch_end(0, {})
    assert recorder.predictions is None
    assert [found.code for _, found in recorder.findings] == ["probe.not_applicable"]


def test_where_nothing_can_be_kept_no_more_than_the_budget_is_spent():
    recorder = looked_at(3 * Y, Y, budget=1e-9)
    measured = []
    for epoch in range(1, 5):
        recorder.on_epoch_begin(epoch)
        recorder.on_epoch_end(epoch, {})
        measured.append(recorder.results["cost"].measured)
    assert measured == [2, 2, 2, 2]  # the first is not counted, as in every probe monitor; the second spends it


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"each": 0}, "`each` must be"),
        ({"every": 0}, "`every` must be"),
        ({"size": 4}, "`size` must be"),
        ({"max_bytes": 100}, "`max_bytes` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"budget": 2}, "`budget` must lie between"),
        ({"probe": 5}, "`probe` must be a pair of arrays"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        PredictionRecorder(**arguments)


def test_other_validation_data_than_the_tiles_are_of_are_told():
    recorder = looked_at(Y, Y)
    state = recorder.get_state()
    again = PredictionRecorder(probe=(X[:1], Y[:1]))
    again.set_model(network())
    again.set_params({"epochs": 9})
    again.on_train_begin()
    again.on_epoch_begin(1)
    again.set_state(state)
    again.on_epoch_end(1, {})
    assert "others than those that the tiles were chosen from" in again.findings[-1][1].sentence
