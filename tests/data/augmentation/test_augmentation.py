import random

import keras
import numpy as np
import pytest
from scipy import ndimage

from unetdyn.data import Augmentation

NOTHING = {"flip": False, "rotate90": False}


def arrays(augmentation, *batch):
    """What comes back, as NumPy's arrays."""
    return tuple(keras.ops.convert_to_numpy(part) for part in augmentation(*batch))


def batch(count=4, size=16, channels=1):
    images = np.random.default_rng(0).normal(size=(count, size, size, channels)).astype("float32")
    return images, (images[..., :1] > 0).astype("uint8")


def blobs(count=4, size=48):
    """Smooth images and masks of the same shapes, so that both can be compared after interpolation."""
    noise = np.random.default_rng(1).normal(size=(count, size, size))
    images = np.stack([ndimage.gaussian_filter(image, 4, mode="wrap") for image in noise])[..., None]
    return (images / images.std()).astype("float32"), (images > 0).astype("uint8")


def symmetries(image):
    turned = [np.rot90(image, turns) for turns in range(4)]
    return turned + [np.transpose(one, (1, 0, 2)) for one in turned]


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
    Augmentation(rotation=5.0, noise=0.1)(*batch(), 0, 0)
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
    "options", [{"rotation": -1.0}, {"zoom": 1.0}, {"contrast": 1.1}, {"brightness": -0.1}, {"noise": -1.0}]
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


def volumes(count=4, depth=3, size=16, channels=2):
    images = np.random.default_rng(0).normal(size=(count, depth, size, size, channels)).astype("float32")
    return images, (images[..., :1] > 0).astype("uint8")


def test_augmentation_draws_all_symmetries_of_a_block():
    images, masks = volumes(count=1, size=5)
    augmentation = Augmentation(seed=2)
    seen = np.zeros((2, 8), int)
    for number in range(80):
        image, mask = arrays(augmentation, images, masks, 0, number)
        for order in (0, 1):
            blocks = (images[0, :: 1 - 2 * order], masks[0, :: 1 - 2 * order])
            turned = [np.stack(of_sections) for of_sections in zip(*map(symmetries, blocks[0]), strict=True)]
            match = [index for index, one in enumerate(turned) if np.array_equal(one, image[0])]
            for index in match:
                seen[order, index] += 1
                turned_mask = np.stack([symmetries(section)[index] for section in blocks[1]])
                np.testing.assert_array_equal(mask[0], turned_mask)
    # Each of sixteen with probability 1/16: 5 expected, and none of them with probability 0.006.
    assert seen.sum() == 80
    assert (seen > 0).sum() >= 14


@pytest.mark.parametrize("options", [{"rotation": 30.0}, {"zoom": 0.3}, {"contrast": 0.3}, {"brightness": 0.5}])
def test_augmentation_changes_all_sections_of_a_block_as_one_image(options):
    images, masks = volumes()
    augmentation = Augmentation(**NOTHING, **options)
    found, found_masks = arrays(augmentation, images, masks, 1, 2)
    for section in range(images.shape[1]):
        expected, expected_mask = arrays(augmentation, images[:, section], masks[:, section], 1, 2)
        np.testing.assert_allclose(found[:, section], expected, atol=1e-6)
        np.testing.assert_array_equal(found_masks[:, section], expected_mask)


def test_augmentation_adds_noise_to_each_voxel_of_a_block():
    images, masks = volumes()
    noisy, same = arrays(Augmentation(**NOTHING, noise=0.5), images, masks, 0, 0)
    assert (noisy - images).std() == pytest.approx(0.5, rel=0.05)
    assert abs(np.corrcoef((noisy - images)[:, 0].ravel(), (noisy - images)[:, 1].ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(same, masks)


def test_augmentation_refuses_blocks_that_are_not_square_in_their_plane():
    images, masks = volumes()
    with pytest.raises(ValueError, match=r"needs square images\. Received: images\.shape=\(4, 3, 15, 16, 2\)"):
        Augmentation()(images[:, :, 1:], masks[:, :, 1:], 0, 0)
    with pytest.raises(ValueError, match=r"or with depth before height, that agree but in the last"):
        Augmentation()(images, masks[:, :2], 0, 0)
