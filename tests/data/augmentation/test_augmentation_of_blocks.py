"""`Augmentation` in 3D: all sections of a tile alike."""

import numpy as np
import pytest

from augmented_batches import NOTHING, arrays, symmetries
from unetdyn.data import Augmentation


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


def test_augmentation_bends_all_sections_of_a_block_alike_and_with_its_mask():
    images = np.repeat(np.random.default_rng(0).normal(size=(4, 1, 16, 16, 1)), 3, axis=1).astype("float32")
    options = {"elastic": 1.0, "elastic_spacing": 8.0, "blur": 1.0, "gamma": 0.5, "cutout": 0.5}
    found, found_masks = arrays(Augmentation(**NOTHING, **options), images, images > 0, 0, 0)
    for part in (found, found_masks):
        np.testing.assert_array_equal(part[:, 0], part[:, 1])
        np.testing.assert_array_equal(part[:, 0], part[:, 2])
    assert (found_masks != (images > 0)).any()
