import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn import losses, metrics
from unetdyn.data import Augmentation, TileDataset, epoch_order


def make(count=7, **options):
    """Tiles of one pixel that hold their own number, and masks that hold its last bit."""
    images = np.arange(count, dtype="float32").reshape(count, 1, 1, 1)
    return TileDataset(images, images.astype("uint8") % 2, **{"batch_size": 2, "seed": 3, **options})


def tiles_of(dataset):
    return [images.ravel().astype(int).tolist() for images, _ in dataset]


def expected_batches(count, seed, epoch, batch_size):
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return [order[first : first + batch_size] for first in range(0, count, batch_size)]


class Watched:
    """A model of one weight whose training steps note which tiles they were given."""

    def __init__(self):
        self.seen = []
        keras.utils.set_random_seed(0)
        self.model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Dense(1, activation="sigmoid")])
        self.compile()

    def compile(self):
        self.model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
        original = keras.Model.compute_loss

        def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
            if training:
                self.seen.append(keras.ops.convert_to_numpy(x).ravel().astype(int).tolist())
            return original(self.model, x, y, y_pred, sample_weight, training)

        self.model.compute_loss = compute_loss

    def fit(self, dataset, **options):
        self.model.fit(dataset, **{"shuffle": False, "verbose": 0, **options})
        return self.seen


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**32), st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_tile_dataset_gives_every_tile_once_an_epoch_with_its_mask(count, batch_size, seed, epoch):
    dataset = make(count, batch_size=batch_size, seed=seed, initial_epoch=epoch)
    batches = tiles_of(dataset)
    assert batches == expected_batches(count, seed, epoch, batch_size)
    assert sorted(tile for one in batches for tile in one) == list(range(count))
    for images, masks in dataset:
        np.testing.assert_array_equal(images % 2, masks)


def test_tile_dataset_orders_differ_between_epochs_and_seeds():
    orders = {tuple(epoch_order(50, seed, epoch).tolist()) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


def test_tile_dataset_keeps_the_order_without_shuffle():
    dataset = make(5, shuffle=False)
    dataset.epoch = 4
    assert tiles_of(dataset) == [[0, 1], [2, 3], [4]]


def test_tile_dataset_drops_other_tiles_each_epoch():
    dataset = make(7, drop_last=True)
    assert len(dataset) == 3
    dropped = set()
    for dataset.epoch in range(6):
        dropped |= set(range(7)) - {tile for one in tiles_of(dataset) for tile in one}
    assert len(dropped) > 2


def test_tile_dataset_returns_float32_batches():
    images = np.zeros((3, 2, 2, 2), "uint8")
    batch_images, batch_masks = TileDataset(images, np.ones((3, 2, 2, 1), bool), batch_size=9)[0]
    assert batch_images.dtype == batch_masks.dtype == np.float32
    assert batch_images.shape == (3, 2, 2, 2)


def test_tile_dataset_augments_by_its_epoch_and_batch():
    augmentation = Augmentation(noise=1.0)
    dataset = make(4, augmentation=augmentation)
    dataset.epoch = 6
    order = epoch_order(4, 3, 6)[2:]
    expected = augmentation(dataset.images[order], dataset.masks[order], 6, 1)
    for got, wanted in zip(dataset[1], expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_fit_sees_the_order_of_seed_and_epoch():
    dataset = make()
    seen = Watched().fit(dataset, epochs=3)
    assert seen == [batch for epoch in range(3) for batch in expected_batches(7, 3, epoch, 2)]
    assert dataset.epoch == 3


def test_fit_sees_the_order_with_validation_in_between():
    validation = make(3, shuffle=False)
    seen = Watched().fit(make(), validation_data=validation, epochs=2)
    assert seen == [batch for epoch in range(2) for batch in expected_batches(7, 3, epoch, 2)]
    assert tiles_of(validation) == [[0, 1], [2]]


def test_fit_sees_the_order_where_one_batch_is_the_epoch():
    assert Watched().fit(make(3, batch_size=8), epochs=3) == [expected_batches(3, 3, k, 8)[0] for k in range(3)]


@pytest.mark.parametrize("set_by", ["initial_epoch", "attribute"])
def test_fit_resumed_sees_what_the_uninterrupted_fit_saw(set_by):
    whole = Watched().fit(make(), epochs=4)
    if set_by == "initial_epoch":
        dataset = make(initial_epoch=2)
    else:
        dataset = make()
        dataset.epoch = 2
    assert Watched().fit(dataset, initial_epoch=2, epochs=4) == whole[8:]


def test_fit_continued_sees_what_the_uninterrupted_fit_saw():
    whole = Watched().fit(make(), epochs=4)
    watched, dataset = Watched(), make()
    watched.fit(dataset, epochs=2)
    assert watched.fit(dataset, initial_epoch=2, epochs=4) == whole


def test_fit_resumed_with_another_optimizer_sees_the_order_of_the_epoch_that_was_set():
    watched, dataset = Watched(), make()
    watched.fit(dataset, epochs=2)
    watched.compile()
    dataset.epoch = 2
    watched.seen.clear()
    assert watched.fit(dataset, initial_epoch=2, epochs=3) == expected_batches(7, 3, 2, 2)


def test_fit_trains_on_augmented_batches_inside_its_own_threads():
    images = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype("float32")
    dataset = TileDataset(images, (images > 0).astype("uint8"), batch_size=2, augmentation=Augmentation(noise=0.1))
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    losses = []
    for _ in range(2):
        dataset.epoch = 0
        model.set_weights([np.full(weight.shape, 0.1) for weight in model.weights])
        model.compile(optimizer="adam", loss="binary_crossentropy")
        losses.append(model.fit(dataset, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_fit_that_shuffles_batches_is_warned_about_once():
    dataset = make(40)
    with pytest.warns(UserWarning, match=r"not a function of .seed, epoch.*Pass `shuffle=False` to `fit`") as caught:
        Watched().fit(dataset, epochs=2, shuffle=True)
    assert len([one for one in caught if "TileDataset" in str(one.message)]) == 1


def test_fit_and_evaluate_without_shuffle_do_not_warn():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        watched = Watched()
        watched.fit(make(40), epochs=2)
        watched.model.evaluate(make(5, shuffle=False), verbose=0)
        watched.model.predict(make(5, shuffle=False), verbose=0)
    assert not [one for one in caught if "TileDataset" in str(one.message)]


@pytest.mark.parametrize(
    ("images", "masks", "options", "text"),
    [
        ((4, 2, 2, 1), (3, 2, 2, 1), {}, r"Received: images.shape=\(4, 2, 2, 1\), masks.shape=\(3, 2, 2, 1\)"),
        ((4, 2, 2), (4, 2, 2), {}, "must have shape .tiles, height, width, channels."),
        ((0, 2, 2, 1), (0, 2, 2, 1), {}, "at least one tile"),
        (
            (4, 2, 2, 1),
            (4, 2, 2, 1),
            {"batch_size": 0},
            "`batch_size` must be a whole number of tiles.*Received: batch_size=0",
        ),
        ((4, 2, 2, 1), (4, 2, 2, 1), {"seed": -1}, "`seed` must be .*Received: seed=-1"),
        ((4, 2, 2, 1), (4, 2, 2, 1), {"initial_epoch": 0.5}, "`epoch` must be .*Received: epoch=0.5"),
        ((4, 2, 2, 1), (4, 2, 2, 1), {"drop_last": True}, "no batch is left. Received: batch_size=8"),
    ],
)
def test_tile_dataset_refuses_what_does_not_agree(images, masks, options, text):
    with pytest.raises(ValueError, match=text):
        TileDataset(np.zeros(images, "float32"), np.zeros(masks, "uint8"), **options)


def test_tile_dataset_refuses_nan():
    images = np.zeros((4, 2, 2, 1), "float32")
    images[2:, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"2 of 4 tiles with NaN or infinity, the first at index 2"):
        TileDataset(images, np.zeros((4, 2, 2, 1), "uint8"))


@pytest.mark.parametrize(
    ("values", "classes", "text"),
    [
        ([0, 255], 1, r"indices 0 to 1 only. Received: masks with the values 0, 255. Divide them by 255"),
        ([0.0, 0.5, 1.0], 1, "the values 0, 0.5, 1. Convert them"),
        ([0, 1, 3], 3, "With `classes=3`, `masks` must hold the class indices 0 to 2 only.*`ignore=3`"),
        ([0, 1, 255], 1, r"pass `weights=\(masks != 255\)` and masks in which they are 0.*`ignore=255`"),
        ([-1, 0, 1], 1, r"`weights=\(masks != -1\)`"),
        ([-1, 1], 1, r"`weights=\(masks != -1\)`"),
        ([0, 1, 2], 1, "If they are class indices, pass `classes=3`; if they are the numbers of single objects"),
        ([1, 2], 1, "They begin at 1.*subtract 1"),
        ([1, 2, 3], 3, "They begin at 1.*subtract 1"),
        ([0, np.nan], 1, "Mend the masks: NaN is no label"),
    ],
)
def test_tile_dataset_refuses_masks_that_hold_no_class_indices(values, classes, text):
    masks = np.array(values).reshape(1, 1, -1, 1)
    with pytest.raises(ValueError, match=text):
        TileDataset(np.zeros(masks.shape, "float32"), masks, classes=classes)


def test_tile_dataset_refuses_a_batch_that_is_not_there():
    with pytest.raises(IndexError, match=r"`index` must lie between 0 and 3. Received: index=4"):
        make()[4]


def test_tile_dataset_gives_weights_third_in_the_order_of_the_tiles():
    weights = np.arange(7.0).reshape(7, 1, 1, 1)
    for images, masks, batch_weights in make(weights=weights):
        np.testing.assert_array_equal(batch_weights, images)
        np.testing.assert_array_equal(masks, images % 2)
        assert batch_weights.dtype == np.float32


def test_tile_dataset_augments_weights_as_it_augments_masks():
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype("float32")
    masks, weights = (images > 0).astype("uint8"), np.where(images > 0, 2.5, 0.25)
    augmentation = Augmentation(rotation=20.0, zoom=0.2, contrast=0.5, brightness=1.0, noise=0.5)
    dataset = TileDataset(images, masks, batch_size=3, augmentation=augmentation, weights=weights)
    alone = TileDataset(images, masks, batch_size=3, augmentation=augmentation)
    moved, moved_masks, moved_weights = dataset[0]
    np.testing.assert_array_equal(moved_weights, np.where(moved_masks > 0, 2.5, 0.25))
    np.testing.assert_array_equal(moved, alone[0][0])
    np.testing.assert_array_equal(moved_masks, alone[0][1])


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.ones((4, 2, 1, 1)), r"`weights` must have the shape of `masks`.*\(4, 2, 1, 1\).*\(4, 2, 2, 1\)"),
        (np.zeros((4, 2, 2, 1)), "above 0 somewhere. Received: weights from 0 to 0"),
        (np.full((4, 2, 2, 1), -1), "Received: weights from -1 to -1"),
        (np.full((4, 2, 2, 1), np.nan), "Received: weights from nan to nan"),
    ],
)
def test_tile_dataset_refuses_weights_that_weigh_nothing(weights, text):
    with pytest.raises(ValueError, match=text):
        TileDataset(np.zeros((4, 2, 2, 1), "float32"), np.zeros((4, 2, 2, 1), "uint8"), weights=weights)


@pytest.mark.parametrize("loss", ["binary_crossentropy", losses.BinaryFocalLoss(2.0), losses.SoftJaccardLoss()])
def test_pixels_of_weight_zero_change_neither_weights_nor_loss(loss):
    """Whatever the mask holds where there is no label, and whatever the loss: a fit is the same bit by bit."""
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
    masks = (images > 0).astype("uint8")
    weights = (images < 0.7).astype("uint8")
    outcomes = []
    for filled in (0, 1):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same")])
        model.add(keras.layers.Activation("sigmoid"))
        model.compile("sgd", loss, weighted_metrics=[metrics.ThresholdedJaccard(), metrics.SoftJaccard()])
        dataset = TileDataset(images, np.where(weights, masks, filled), batch_size=2, weights=weights)
        history = model.fit(dataset, shuffle=False, epochs=2, verbose=0).history
        outcomes.append([*model.get_weights(), *history.values()])
    for first, again in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(first, again)
