"""What a loss says of its labels, where nothing else is there that could."""

import copy
import warnings

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import RunRecorder
from unetdyn.losses import BinaryFocalLoss, SoftJaccardLoss
from unetdyn.losses.label_watch import LOOKS

RNG = np.random.default_rng(0)
X = RNG.random((8, 4, 4, 1), dtype="float32")
Y = (X > 0.5).astype("float32")
HALF = np.arange(16).reshape(4, 4, 1) % 2 == 0
LOSSES = [lambda: BinaryFocalLoss(2.0), lambda: SoftJaccardLoss()]
on_traced_backends = pytest.mark.skipif(keras.backend.backend() == "torch", reason="steps run eagerly on PyTorch")


def compiled(loss, **options):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.1), loss, **options)
    return model


def told(call):
    """Codes and texts of the losses' warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(each.message.code, str(each.message)) for each in caught if str(each.message).startswith("Loss '")]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_fit_with_the_loss_alone_is_told_of_an_array_once(loss):
    model = compiled(loss())
    found = told(lambda: [model.fit(X, Y * 255, batch_size=4, verbose=0) for _ in range(2)])
    assert [code for code, _ in found] == ["labels.scale"]
    assert "the values 0 and 255 instead of 0 and 1" in found[0][1]


@pytest.mark.parametrize(
    ("labels", "code", "part"),
    [
        (Y * 2 - 1, "labels.scale", "values down to -1"),
        (Y + 1, "labels.scale", "no 0: its values begin at 1 and reach 2"),
        (np.where(HALF, Y, 255), "labels.scale", "Pass `ignore_label=255`"),
        (Y / 255, "labels.scale", "reaches only 0.00392157"),
        (np.where(HALF, Y, np.nan), "labels.nonfinite", "NaN or infinite"),
    ],
)
def test_what_is_told_fits_the_labels(labels, code, part):
    loss = SoftJaccardLoss()
    ((found, text),) = told(lambda: loss(labels.astype("float32"), X))
    assert found == code
    assert part in text


@pytest.mark.parametrize("labels", [Y[..., 0], Y > 0, Y * 0.9 + 0.05, Y * 0.3, Y * 0])
def test_labels_from_zero_to_one_are_not_told_of(labels):
    loss = SoftJaccardLoss()
    assert told(lambda: loss(labels, X)) == []


def test_a_fit_of_good_labels_is_not_told():
    assert told(lambda: compiled(BinaryFocalLoss(2.0)).fit(X, Y, batch_size=4, epochs=2, verbose=0)) == []


def test_a_fit_of_batches_is_told_when_the_loss_is_negative():
    """Compiled steps show no label, and a data set may not be asked twice: the first epoch below 0 tells."""

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[4 * index : 4 * index + 4], 255 * Y[4 * index : 4 * index + 4]

    model = compiled(BinaryFocalLoss(2.0))
    model.optimizer.learning_rate = 5.0
    losses = []
    found = told(lambda: losses.extend(model.fit(Batches(), epochs=12, verbose=0).history["loss"]))
    assert min(losses) < 0
    assert [code for code, _ in found] == ["labels.scale"]
    first = next(value for value in losses if value < 0)
    eager = keras.backend.backend() == "torch"
    assert ("0 and 255" if eager else f"its mean over an epoch is {first:.4g}") in found[0][1]


@on_traced_backends
def test_a_loss_that_is_a_part_is_not_blamed_for_the_sum():
    inner = BinaryFocalLoss(2.0)
    model = compiled(lambda y, p: inner(y, p) - 10)
    assert told(lambda: model.fit(X, Y, epochs=2, verbose=0)) == []


def test_an_eager_call_is_told_once_and_looks_until_it_has_seen_an_object():
    loss = BinaryFocalLoss(2.0)
    assert told(lambda: [loss(Y * 0, X) for _ in range(LOOKS - 1)]) == []
    assert [code for code, _ in told(lambda: [loss(Y * 255, X) for _ in range(2)])] == ["labels.scale"]
    seen = BinaryFocalLoss(2.0)
    seen(Y, X)
    assert told(lambda: seen(Y * 255, X)) == []  # it waits for the device no more


@pytest.mark.parametrize("shape", [(8,), (8, 4, 4), (8, 4, 4, 1)])
def test_labels_that_do_not_count_are_not_told_of(shape):
    weight = np.ones(shape, "float32")
    weight[0] = 0
    labels = Y.copy()
    labels[0] = 255
    for loss in LOSSES:
        assert told(lambda loss=loss: loss()(labels, X, weight)) == []
    assert told(lambda: BinaryFocalLoss(2.0, ignore_label=255)(labels, X)) == []


def test_a_fit_whose_weights_leave_bad_labels_out_is_not_told():
    labels, weight = np.where(HALF, Y, 255), np.broadcast_to(HALF[..., 0], (8, 4, 4)).astype("float32")
    assert told(lambda: compiled(SoftJaccardLoss()).fit(X, labels, sample_weight=weight, verbose=0)) == []


def test_what_is_told_is_an_event_of_the_run(tmp_path):
    recorder = RunRecorder(tmp_path, save_best=None)
    told(lambda: compiled(BinaryFocalLoss(2.0)).fit(X, Y * 255, verbose=0, callbacks=[recorder]))
    assert [event["code"] for event in runs.open(tmp_path).events if event["kind"] == "warning"] == ["labels.scale"]


def test_looking_changes_neither_the_loss_nor_what_is_trained():
    weights = []
    for watched in (True, False):
        keras.utils.set_random_seed(1)
        loss = BinaryFocalLoss(2.0)
        loss._watch.told = not watched
        model = compiled(loss)
        told(lambda model=model: model.fit(X, Y * 255, epochs=2, verbose=0))
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_copy_of_the_loss_can_be_made():
    assert copy.deepcopy(BinaryFocalLoss(2.0)).get_config() == BinaryFocalLoss(2.0).get_config()
