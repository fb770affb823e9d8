"""TileDataset: what is made ahead is what would have been made when it was asked for, and is made when it should be."""

import copy
import pickle
import threading
import weakref

import keras
import numpy as np
import pytest

from unetdyn.callbacks import BatchSizeSchedule
from unetdyn.data import Augmentation, TileDataset
from unetdyn.data.lazy import LazyArray

IMAGES = np.random.default_rng(0).normal(size=(7, 8, 8, 1)).astype("float32")
MASKS = (IMAGES > 0).astype("uint8")
LONG = 60.0  # seconds after which a test is taken for one that hangs


class Noted:
    """An augmentation that adds 100 · epoch + batch, and notes which were made, and by threads of whom."""

    def __init__(self, sign=1):
        self.sign, self.made, self.in_threads = sign, [], []

    def __call__(self, images, masks, epoch, batch):
        self.made.append((epoch, batch))
        if threading.current_thread().name == "unetdyn: ahead":
            self.in_threads.append((epoch, batch))
        return images + self.sign * (100.0 * epoch + batch), masks


def make(ahead=2, **options):
    return TileDataset(IMAGES, MASKS, **{"batch_size": 2, "seed": 3, "ahead": ahead, **options})


def join():
    for thread in threading.enumerate():
        if thread.name == "unetdyn: ahead":
            thread.join(LONG)
            assert not thread.is_alive()


def open_fit(dataset):
    """What `fit` does to a dataset before its first epoch: a reset, which ends no epoch."""
    dataset.on_epoch_end()


def epoch_of(dataset, indices=None):
    """What Keras does in one epoch."""
    dataset.on_epoch_begin()
    batches = [dataset[index] for index in (range(dataset.num_batches) if indices is None else indices)]
    dataset.on_epoch_end()
    return batches


def assert_equal_batches(found, expected):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert len(one) == len(other)
        for part, same in zip(one, other, strict=True):
            part, same = keras.ops.convert_to_numpy(part), keras.ops.convert_to_numpy(same)
            assert part.dtype == same.dtype == np.float32
            np.testing.assert_array_equal(part, same)


class Kept:
    """A model of one weight, and the batches its steps were given."""

    def __init__(self):
        self.seen = []
        self.model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1, activation="sigmoid")])
        self.model.compile("sgd", "mse", run_eagerly=True)
        original = self.model.compute_loss

        def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
            if training:
                self.seen.append(tuple(np.array(keras.ops.convert_to_numpy(part)) for part in (x, y)))
            return original(x, y, y_pred, sample_weight, training)

        self.model.compute_loss = compute_loss

    def fit(self, dataset, **options):
        self.model.fit(dataset, **{"shuffle": False, "verbose": 0, "epochs": 3, **options})
        return self.seen


@pytest.mark.parametrize("ahead", [1, 2, 20])
def test_batches_are_bit_equal_whether_they_were_made_ahead_or_not(ahead):
    found = []
    for most in (ahead, 0):
        dataset = make(most, augmentation=Augmentation(noise=0.5, contrast=0.2), weights=MASKS + 1)
        open_fit(dataset)
        found.append([batch for _ in range(3) for batch in epoch_of(dataset)])
    assert_equal_batches(*found)


def test_fit_is_given_the_same_batches_whether_they_were_made_ahead_or_not():
    found = [Kept().fit(make(ahead, augmentation=Noted())) for ahead in (4, 0)]
    assert_equal_batches(*found)


def test_fit_that_shuffles_is_given_the_same_batches_and_none_is_made_in_vain():
    found = []
    for ahead in (0, 4):
        keras.utils.set_random_seed(11)
        noted = Noted()
        many = [np.tile(part, (9, 1, 1, 1)) for part in (IMAGES, MASKS)]
        dataset = TileDataset(*many, 2, seed=3, augmentation=noted, ahead=ahead)
        with pytest.warns(UserWarning, match="Pass `shuffle=False`"):
            found.append(Kept().fit(dataset, shuffle=True, epochs=1))
        join()
        assert len(noted.made) < 1.5 * len(dataset)
    assert_equal_batches(*found[::-1])


def test_fit_with_a_schedule_of_batch_sizes_is_given_the_same_batches():
    found = []
    for ahead in (0, 3):
        dataset = make(ahead, augmentation=Noted())
        found.append(Kept().fit(dataset, epochs=4, callbacks=[BatchSizeSchedule(dataset, {1: 4, 2: 1, 3: 7})]))
    assert_equal_batches(found[1], found[0])


def test_fit_stopped_within_an_epoch_and_begun_again_is_given_nothing_left_over():
    class Stop(keras.callbacks.Callback):
        """Ends the training by an exception in its second epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 1):
                raise InterruptedError

    dataset, kept = make(3, augmentation=Noted()), Kept()
    with pytest.raises(InterruptedError):
        kept.fit(dataset, callbacks=[Stop()])
    dataset.epoch = 1
    kept.seen.clear()
    found = kept.fit(dataset, initial_epoch=1)
    whole = make(0, augmentation=Noted(), initial_epoch=1)
    assert_equal_batches(found, [batch for whole.epoch in (1, 2) for batch in whole])


def test_epoch_is_made_in_threads_but_for_its_first_batch_and_the_next_one_whole():
    """Asked for when the threads are done, as by a model that takes longer: then there is one for the last batch."""
    noted = Noted()
    dataset = make(augmentation=noted)
    open_fit(dataset)
    for _ in range(3):
        dataset.on_epoch_begin()
        for index in range(dataset.num_batches):
            join()
            dataset[index]
        dataset.on_epoch_end()
    join()
    everything = [(epoch, batch) for epoch in range(3) for batch in range(4)]
    assert sorted(noted.in_threads) == [*everything[1:], (3, 0), (3, 1)]
    assert sorted(noted.made) == [*everything, (3, 0), (3, 1)]


def test_no_more_than_ahead_is_made_that_was_not_asked_for():
    noted = Noted()
    dataset = make(3, augmentation=noted)
    open_fit(dataset)
    dataset.on_epoch_begin()
    for index in range(4):
        dataset[index]
        join()
        assert len(noted.made) - (index + 1) <= 3


def test_validation_in_its_own_order_is_ready_when_it_is_validated_again(monkeypatch):
    dataset, read = make(shuffle=False), []
    original = TileDataset._read

    def noted(self, chosen):
        read.append((chosen[0], threading.current_thread() is threading.main_thread()))
        return original(self, chosen)

    monkeypatch.setattr(TileDataset, "_read", noted)
    expected = epoch_of(make(0, shuffle=False))
    read.clear()
    for _ in range(3):
        assert_equal_batches(epoch_of(dataset), expected)
    assert [place for place, here in read if here] == [0]  # the very first one
    join()
    assert len(read) == 3 * 4 + 2


def test_look_at_one_batch_begins_no_thread_and_a_loop_by_hand_does():
    noted = Noted()
    dataset = make(augmentation=noted)
    dataset[0], dataset[3], dataset[1]
    join()
    assert noted.made == [(0, 0), (0, 3), (0, 1)]
    noted.made.clear()
    assert_equal_batches(list(dataset), list(make(0, augmentation=Noted())))
    join()
    assert sorted(noted.made) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert sorted(noted.in_threads) == [(0, 2), (0, 3)]


CHANGES = {
    "epoch": lambda dataset: setattr(dataset, "epoch", 5),
    "set_state": lambda dataset: dataset.set_state({"epoch": 2}),
    "batch_size": lambda dataset: setattr(dataset, "batch_size", 3),
    "augmentation": lambda dataset: setattr(dataset, "augmentation", Noted(sign=-1)),
    "no augmentation": lambda dataset: setattr(dataset, "augmentation", None),
    "targets": lambda dataset: setattr(dataset, "targets", lambda masks, epoch: 1 - masks + epoch),
    "images": lambda dataset: setattr(dataset, "images", IMAGES[::-1]),
    "masks": lambda dataset: setattr(dataset, "masks", 1 - MASKS),
    "weights": lambda dataset: setattr(dataset, "weights", np.full(MASKS.shape, 0.5)),
    "seed": lambda dataset: setattr(dataset, "seed", 4),
    "shuffle": lambda dataset: setattr(dataset, "shuffle", False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_setting_that_changes_leaves_nothing_of_before(change):
    found = []
    for ahead in (3, 0):
        dataset = make(ahead, augmentation=Noted())
        open_fit(dataset)
        dataset.on_epoch_begin()
        dataset[0], dataset[1]
        join()  # what comes next is there
        CHANGES[change](dataset)
        found.append([dataset[2 if len(dataset) > 2 else 1], *epoch_of(dataset)])
    assert_equal_batches(*found)


def test_change_while_a_batch_is_made_is_not_in_it():
    reached, gate = threading.Event(), threading.Event()

    class Held(Noted):
        def __call__(self, images, masks, epoch, batch):
            if (epoch, batch) == (0, 1):
                reached.set()
                assert gate.wait(LONG)
            return super().__call__(images, masks, epoch, batch)

    dataset = make(1, augmentation=Held(), targets=lambda masks, epoch: masks)
    open_fit(dataset)
    dataset.on_epoch_begin()
    dataset[0]
    assert reached.wait(LONG)
    before, dataset.targets = dataset.targets, lambda masks, epoch: masks + 50.0
    gate.set()
    join()
    dataset.targets = before
    np.testing.assert_array_equal(np.unique(dataset[1][1]), [0.0, 1.0])


def test_error_of_a_thread_is_raised_where_its_batch_is_asked_for():
    damaged = np.random.default_rng([3, 0]).permutation(7)[4]  # in batch 2

    def read(start, stop, window):
        if start <= damaged < stop:
            raise OSError(f"section {damaged} can't be read")
        return IMAGES[start:stop]

    dataset = TileDataset(LazyArray(IMAGES.shape, "float32", read), MASKS, 2, seed=3, ahead=2)
    open_fit(dataset)
    dataset.on_epoch_begin()
    dataset[0], dataset[1]
    with pytest.raises(OSError, match=f"section {damaged} can't be read"):
        dataset[2]
    assert dataset[3][0].shape == (1, 8, 8, 1)


def test_nan_of_sections_on_disk_ends_fit_with_its_sentence():
    images = IMAGES.copy()
    images[5, 0, 0, 0] = np.nan
    dataset = TileDataset(LazyArray.of(images), MASKS, 2, seed=3)
    with pytest.raises(Exception, match="1 of 2 tiles with NaN or infinity, the first at index 5"):
        Kept().fit(dataset)


def test_dataset_is_collected_with_all_that_it_made_while_a_thread_runs():
    reached, gate, kept = threading.Event(), threading.Event(), []

    class Held:
        def __call__(self, images, masks, epoch, batch):
            if batch == 1:
                reached.set()
                assert gate.wait(LONG)
            kept.append(weakref.ref(images))
            return images, masks

    dataset = make(1, augmentation=Held())
    open_fit(dataset)
    dataset.on_epoch_begin()
    dataset[0]
    assert reached.wait(LONG)
    gone = weakref.ref(dataset)
    del dataset
    assert gone() is None
    gate.set()
    join()
    assert [each() for each in kept] == [None, None]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_copy_makes_the_same_batches_and_its_own(copied):
    dataset = make(augmentation=Noted())
    open_fit(dataset)
    epoch_of(dataset, [0, 1])
    other = copied(dataset)
    assert other._ahead is not dataset._ahead
    assert_equal_batches(epoch_of(other), epoch_of(dataset))


def test_targets_are_given_numpy_arrays_whatever_the_augmentation_returns():
    def on_device(images, masks, epoch, batch):
        return keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(masks)

    given = []
    dataset = make(augmentation=on_device, weights=MASKS + 1, targets=lambda masks, epoch: given.append(masks) or masks)
    expected = make(0, weights=MASKS + 1)
    for batch, other in zip(dataset, expected, strict=True):
        for part, same in zip(batch, other, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(part), same)
    assert {type(each) for each in given} == {np.ndarray}


@pytest.mark.parametrize("ahead", [-1, 1.5, True])
def test_ahead_that_can_not_be_is_refused(ahead):
    with pytest.raises(
        ValueError, match=r"`ahead` must be a whole number of batches, 0 or more, or None.*Received: ah"
    ):
        make(ahead)
