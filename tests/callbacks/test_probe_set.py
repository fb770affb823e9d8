"""Where the probe images come from: each kind of validation data, and that `fit` reads on as if nobody had looked."""

import random
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from probe_models import images, network
from unetdyn.callbacks import ThresholdFlipMonitor, TrainInferenceGapMonitor
from unetdyn.callbacks.probe_set import NoProbeError, Probe, validation_probe
from unetdyn.data import TileDataset

pytestmark = pytest.mark.usefixtures("untraced")

X, Y = images(10)


class Take(keras.callbacks.Callback):
    """The probe at the end of the first epoch, or why there is none."""

    def __init__(self, count=4):
        super().__init__()
        self.count = count

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            try:
                self.probe = validation_probe(self.model, self.count, batch_size=8)
            except NoProbeError as reason:
                self.probe = str(reason)


def taken(validation, count=4, **kwargs):
    take = Take(count)
    history = network().fit(X, Y, validation_data=validation, epochs=2, verbose=0, callbacks=[take], **kwargs)
    return take.probe, history.history


class Drawing(keras.utils.PyDataset):
    """Adds noise of its own generator, and of NumPy's and Python's global ones."""

    def __init__(self):
        super().__init__()
        self.generator, self.legacy, self.plain = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        noise = self.generator.normal() + self.legacy.normal() + self.plain.random()
        noise += np.random.normal() + random.random()  # noqa: NPY002
        part = slice(2 * index, 2 * index + 2)
        return X[part] + 0.1 * np.float32(noise), Y[part]


def test_arrays_are_copied_spread_over_the_set():
    probe, _ = taken((X, Y))
    np.testing.assert_array_equal(probe.x, X[[0, 3, 6, 9]])
    np.testing.assert_array_equal(probe.y, Y[[0, 3, 6, 9]])
    assert not np.shares_memory(probe.x, X)
    assert probe.batch_size == 4


def test_a_split_of_the_training_data_will_do():
    take = Take()
    network().fit(X, Y, validation_split=0.4, epochs=1, verbose=0, callbacks=[take])
    np.testing.assert_array_equal(take.probe.x, X[6:])


def test_images_are_whole_batches():
    probe = Probe.of(X, Y.astype("float64"), images=10, batch_size=4)
    assert [len(x) for x, _ in probe.batches()] == [4, 4]
    assert probe.y.dtype == np.float32


def test_targets_of_several_outputs_keep_their_structure():
    class TwoOutputs(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            part = slice(2 * index, 2 * index + 2)
            return X[part], [Y[part], Y[part, ::2, ::2]]

    chosen, model = [0, 1, 8, 9], SimpleNamespace()
    model._eval_epoch_iterator = SimpleNamespace(data_adapter=PyDatasetAdapter(TwoOutputs(), None))
    probe = validation_probe(model, 4, batch_size=4)
    np.testing.assert_array_equal(probe.x, X[chosen])
    for found, expected in zip(probe.y, (Y[chosen], Y[chosen, ::2, ::2]), strict=True):
        np.testing.assert_array_equal(found, expected)
    ((_, (first, _)),) = probe.picked([3, 0, 0, 1]).batches()
    np.testing.assert_array_equal(first, Y[[9, 0, 0, 1]])


@pytest.mark.parametrize("masks", [[], [Y, Y[:9]], [Y, None], [Y, 5.0]], ids=["none", "fewer", "one", "number"])
def test_probe_of_several_outputs_has_as_many_masks_of_each(masks):
    with pytest.raises(ValueError, match="as many masks as images, at least one; of several outputs a list of such"):
        ThresholdFlipMonitor(probe=(X, masks))


def test_tile_data_set_is_read_by_index():
    tiles = TileDataset(X, Y, batch_size=2, shuffle=False)
    probe, _ = taken(tiles)
    np.testing.assert_array_equal(probe.x, X[[0, 1, 8, 9]])


@pytest.mark.parametrize("monitor", [ThresholdFlipMonitor, TrainInferenceGapMonitor])
def test_reading_a_data_set_that_draws_changes_no_draw(monitor):
    histories = []
    for callbacks in ([], [monitor(budget=None)]):
        model, drawing = network(), Drawing()
        keras.utils.set_random_seed(3)
        history = model.fit(X, Y, validation_data=drawing, epochs=3, verbose=0, callbacks=callbacks).history
        histories.append({name: history[name] for name in ("loss", "val_loss")})
        histories[-1]["next"] = [np.random.random(), random.random(), drawing.generator.random()]  # noqa: NPY002
    tolerance = {"rtol": 1e-5} if keras.config.backend() == "jax" else {"rtol": 0}
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, **tolerance)


def test_generator_is_never_touched():
    def forever():
        while True:
            yield X[:2], Y[:2]

    reason, _ = taken(forever(), validation_steps=2)
    assert "might change the training" in reason


def test_stateless_tf_data_is_read_and_other_is_not():
    tf = pytest.importorskip("tensorflow")
    plain = tf.data.Dataset.from_tensor_slices((X, Y)).map(lambda x, y: (x * 2, y)).batch(3).prefetch(1)
    probe, _ = taken(plain)
    np.testing.assert_array_equal(probe.x, 2 * X[[0, 2, 3, 5]])
    noisy = plain.map(lambda x, y: (x + tf.random.normal(()), y))
    shuffled = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(4).batch(3)
    python = tf.data.Dataset.from_generator(
        lambda: iter([(X, Y)]), output_signature=(tf.TensorSpec(X.shape), tf.TensorSpec(Y.shape))
    )
    for other in (noisy, shuffled, python.repeat()):
        reason, _ = taken(other, validation_steps=1)
        assert "might change the training" in reason


def codes(monitor):
    return [finding.code for _, finding in monitor.findings]


@pytest.mark.parametrize("make", [ThresholdFlipMonitor, TrainInferenceGapMonitor])
def test_without_validation_one_finding_says_what_to_do(make):
    monitor = make()
    history = network().fit(X, Y, epochs=3, verbose=0, callbacks=[monitor]).history
    assert codes(monitor) == ["probe.missing"]
    assert "pass `probe=(images, masks)`" in monitor.messages[0][1]
    assert history.keys() == {"loss"}
    assert not len(monitor.record["epoch"])


def test_first_validation_may_come_later():
    monitor = ThresholdFlipMonitor(budget=None)
    network().fit(X, Y, validation_data=(X, Y), validation_freq=2, epochs=4, verbose=0, callbacks=[monitor])
    assert codes(monitor) == ["probe.missing"]
    assert list(monitor.record["epoch"]) == [1, 2, 3]


def test_another_keras_gives_the_same_finding():
    monitor = TrainInferenceGapMonitor()

    class Forget(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model._eval_epoch_iterator.data_adapter = object()

    network().fit(X, Y, validation_data=Drawing(), epochs=1, verbose=0, callbacks=[Forget(), monitor])
    assert codes(monitor) == ["probe.missing"]


def test_images_that_the_model_cannot_take_are_an_error_where_the_user_gave_them():
    model = network()
    with pytest.raises(Exception, match="shape"):
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[ThresholdFlipMonitor(probe=(X[:, :3, :3, :0], Y))])
