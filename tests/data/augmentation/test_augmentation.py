"""`Augmentation` as it is used: what comes back for a seed, an epoch and a batch."""

import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from augmented_batches import EVERYTHING, NOTHING, arrays, batch, symmetries
from moved_images import blobs
from unetdyn.data import Augmentation
from unetdyn.data.augmentation.backend import engine


def test_augmentation_draws_all_eight_symmetries_alike():
    images, masks = batch(count=1, size=5)
    augmentation = Augmentation(seed=2)
    seen = np.zeros(8, int)
    for number in range(160):
        image, mask = arrays(augmentation, images, masks, 0, number)
        match = [index for index, one in enumerate(symmetries(images[0])) if np.array_equal(one, image[0])]
        assert len(match) == 1
        np.testing.assert_array_equal(mask[0], symmetries(masks[0])[match[0]])
        seen[match[0]] += 1
    # Each of eight with probability 1/8: 20 expected, standard deviation 4.2.
    assert seen.min() >= 5
    assert seen.max() <= 40


def test_augmentation_flips_each_sample_by_itself_and_both_axes_by_themselves():
    images, masks = batch(count=64)
    flipped, flipped_masks = arrays(Augmentation(rotate90=False), images, masks, 0, 0)
    kinds = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    seen = set()
    for image, mask, out, out_mask in zip(images, masks, flipped, flipped_masks, strict=True):
        match = [kind for kind in kinds if np.array_equal(image[:: kind[0], :: kind[1]], out)]
        assert len(match) == 1
        np.testing.assert_array_equal(mask[:: match[0][0], :: match[0][1]], out_mask)
        seen.update(match)
    assert seen == set(kinds)


@pytest.mark.parametrize("options", [{"rotation": 30.0}, {"zoom": 0.3}])
def test_augmentation_moves_masks_with_their_images(options):
    images, masks = blobs()
    moved, moved_masks = arrays(Augmentation(**{**NOTHING, **options}, seed=3), images, masks, 0, 0)
    assert set(np.unique(moved_masks)) == {0.0, 1.0}
    assert (masks != moved_masks).mean() > 0.05
    # Away from the edge of a blob, the moved image's sign is the moved mask, whatever the interpolation.
    clear = np.abs(moved) > 0.3
    assert clear.mean() > 0.5
    np.testing.assert_array_equal((moved > 0)[clear], moved_masks.astype(bool)[clear])


def test_augmentation_rotates_by_at_most_the_angle_about_the_centre():
    size = 65
    images = np.zeros((32, size, size, 1), "float32")
    images[:, 32, 32:, 0] = 1.0
    masks = images.astype("uint8")
    moved, _ = arrays(Augmentation(**NOTHING, rotation=30.0, seed=1), images, masks, 0, 0)
    rows, cols = np.mgrid[:size, :size] - 32
    near = np.hypot(rows, cols) < 25
    weight = moved[..., 0] * near
    angles = np.degrees(np.arctan2((weight * rows).sum((1, 2)), (weight * cols).sum((1, 2))))
    assert np.abs(angles).max() <= 30.5
    assert angles.max() > 20
    assert angles.min() < -20
    np.testing.assert_allclose(moved[:, 32, 32, 0], 1, atol=1e-3)


def test_augmentation_changes_grey_values_within_its_limits_and_no_mask():
    images, masks = batch(count=200, size=8, channels=2)
    brighter, same = arrays(Augmentation(**NOTHING, brightness=0.3), images, masks, 0, 0)
    shift = (brighter - images).reshape(200, -1)
    np.testing.assert_allclose(shift, np.repeat(shift[:, :1], shift.shape[1], axis=1), atol=1e-5)
    assert 0.25 < np.abs(shift).max() <= 0.3 + 1e-5
    np.testing.assert_array_equal(same, masks)

    stretched, same = arrays(Augmentation(**NOTHING, contrast=0.4), images, masks, 0, 0)
    mean = images.mean(axis=(1, 2), keepdims=True)
    factor = ((stretched - mean) / (images - mean)).reshape(200, -1)
    np.testing.assert_allclose(factor, np.repeat(np.median(factor, 1)[:, None], factor.shape[1], axis=1), atol=1e-2)
    assert 0.6 - 1e-3 <= np.median(factor, 1).min() < 0.7
    assert 1.3 < np.median(factor, 1).max() <= 1.4 + 1e-3
    np.testing.assert_array_equal(same, masks)

    noisy, same = arrays(Augmentation(**NOTHING, noise=0.5), images, masks, 0, 0)
    assert abs(float((noisy - images).std()) - 0.5) < 0.02
    np.testing.assert_array_equal(same, masks)


def test_augmentation_does_not_clip_raw_grey_values():
    images = np.full((2, 4, 4, 1), 65535.0, "float32")
    brighter, _ = arrays(Augmentation(**NOTHING, brightness=2000.0), images, images * 0, 0, 0)
    assert np.abs(brighter - 65535).max() > 10


def test_augmentation_is_a_function_of_seed_epoch_and_batch():
    images, masks = batch()
    options = {"rotation": 10.0, "contrast": 0.2, "brightness": 0.2, "noise": 0.1}
    first = Augmentation(**options, seed=5)
    expected = arrays(first, images, masks, 2, 7)
    # Another object, asked for other batches before, and with other global random states.
    second = Augmentation(**options, seed=5)
    second(images, masks, 0, 0)
    keras.utils.set_random_seed(99)
    again = arrays(second, images, masks, 2, 7)
    np.testing.assert_array_equal(expected[0], again[0])
    np.testing.assert_array_equal(expected[1], again[1])
    for seed, epoch, number in [(5, 2, 8), (5, 3, 7), (6, 2, 7)]:
        other = arrays(Augmentation(**options, seed=seed), images, masks, epoch, number)
        assert (other[0] != expected[0]).any()


def test_augmentation_leaves_the_global_random_numbers_alone():
    python, numpy = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    Augmentation(**EVERYTHING)(*batch(), 0, 0)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_augmentation_switching_a_step_on_does_not_move_the_others():
    images, masks = batch()
    _, plain = arrays(Augmentation(), images, masks, 0, 0)
    _, noisy = arrays(Augmentation(noise=0.1, brightness=0.1), images, masks, 0, 0)
    np.testing.assert_array_equal(plain, noisy)


def test_augmentation_computes_in_float32_under_mixed_precision():
    images, masks = batch()
    expected = arrays(Augmentation(rotation=10.0), images, masks, 0, 0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = arrays(Augmentation(rotation=10.0), images, masks, 0, 0)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(expected[0], mixed[0])


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": -1.0},
        {"zoom": 1.0},
        {"contrast": 1.1},
        {"brightness": -0.1},
        {"noise": -1.0},
        {"shear": 61.0},
        {"shift": -1.0},
        {"elastic": -0.5},
        {"gamma": float("inf")},
        {"blur": -1.0},
        {"cutout": 1.5},
    ],
    ids=str,
)
def test_augmentation_refuses_numbers_out_of_range(options):
    (argument,) = options
    with pytest.raises(ValueError, match=f"`{argument}` must be a .*number.* 0 .*Received: {argument}="):
        Augmentation(**options)


def test_augmentation_refuses_shapes_that_do_not_agree():
    images, masks = batch()
    with pytest.raises(ValueError, match=r"agree but in the last. Received: .*masks.shape=\(4, 8, 16, 1\)"):
        Augmentation()(images, masks[:, :8], 0, 0)
    with pytest.raises(ValueError, match=r"`rotate90=True` needs square images"):
        Augmentation()(images[:, :8], masks[:, :8], 0, 0)
    with pytest.raises(ValueError, match=r"`seed` must be a whole number, 0 or more. Received: seed=-1"):
        Augmentation(seed=-1)


def test_augmentation_with_everything_on_is_the_same_in_any_thread():
    images, masks = batch()
    augmentation = Augmentation(**EVERYTHING, seed=3)
    expected = [arrays(augmentation, images, masks, 1, number) for number in range(8)]
    assert not np.array_equal(expected[0][0], expected[1][0])
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: arrays(augmentation, images, masks, 1, number), range(8)))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_augmentation_leaves_what_it_is_given_as_it_is():
    images, masks = batch()
    before = images.copy(), masks.copy()
    for part in (images, masks):
        part.flags.writeable = False
    for options in ({}, NOTHING, {**NOTHING, "contrast": 0.5}, EVERYTHING):
        arrays(Augmentation(**options), images, masks, 0, 0)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(masks, before[1])


def test_augmentation_with_nothing_on_is_a_copy():
    images, masks = batch()
    same, same_masks = arrays(Augmentation(**NOTHING), images, masks, 0, 0)
    np.testing.assert_array_equal(same, images)
    np.testing.assert_array_equal(same_masks, masks)
    assert same_masks.dtype == np.float32
    assert not np.shares_memory(same, images)


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["symmetries", "everything"])
def test_augmentation_is_the_same_where_a_device_turns_the_tiles(options, monkeypatch):
    images, masks = batch()
    expected = arrays(Augmentation(**options, seed=8), images, masks, 0, 0)
    monkeypatch.setattr(engine(), "on_host", lambda: False)
    found = arrays(Augmentation(**options, seed=8), images, masks, 0, 0)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)


def test_augmentation_returns_tensors_of_the_backend():
    for options in ({}, EVERYTHING):
        for part in Augmentation(**options)(*batch(), 0, 0):
            assert keras.ops.is_tensor(part)
            assert keras.backend.standardize_dtype(part.dtype) == "float32"


def test_augmentation_without_its_symmetries_moves_the_symmetry_of_the_image():
    """With rotation the symmetry is part of the matrix: the same picture as turned first and then rotated."""
    images, masks = blobs(count=8)
    turned, turned_masks = arrays(Augmentation(seed=4), images, masks, 0, 0)
    expected, expected_masks = arrays(Augmentation(**NOTHING, rotation=25.0, seed=4), turned, turned_masks, 0, 0)
    found, found_masks = arrays(Augmentation(rotation=25.0, seed=4), images, masks, 0, 0)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert (found_masks != expected_masks).mean() < 1e-3


def test_augmentation_blots_out_a_box_and_no_mask():
    images, masks = batch(count=32)
    found, same = arrays(Augmentation(**NOTHING, cutout=1.0), images, masks, 0, 0)
    changed = found != images
    # Height and width are each half of the side in the mean: a quarter of the area.
    assert 0.15 < changed.mean() < 0.35
    for image, where, out in zip(images[..., 0], changed[..., 0], found[..., 0], strict=True):
        rows, columns = where.any(axis=1), where.any(axis=0)
        np.testing.assert_array_equal(where, rows[:, None] & columns)
        np.testing.assert_allclose(out[where], image.mean(), atol=1e-6)
    np.testing.assert_array_equal(same, masks)


def test_augmentation_moves_further_channels_of_masks_as_it_moves_masks():
    images, masks = batch(size=48)
    weights = np.where(masks > 0, 2.5, 0.25).astype("float32")
    _, moved = arrays(Augmentation(**EVERYTHING), images, np.concatenate([masks, weights], axis=-1), 0, 0)
    np.testing.assert_array_equal(moved[..., 1], np.where(moved[..., 0] > 0, 2.5, 0.25))


def test_augmentation_says_how_wide_the_grid_and_how_large_the_image_must_be():
    with pytest.raises(ValueError, match=r"an eighth of `elastic_spacing`.*elastic=5, .*Widen the grid to 40 pixels"):
        Augmentation(elastic=5.0)
    with pytest.raises(ValueError, match=r"`elastic_spacing` must be a finite number above 0"):
        Augmentation(elastic_spacing=0.0)
    images, masks = batch(size=8)
    with pytest.raises(ValueError, match=r"`blur` must be at most a quarter.*Received: blur=2\.5.*\(4, 8, 8, 1\)"):
        Augmentation(blur=2.5)(images, masks, 0, 0)
