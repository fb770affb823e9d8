"""Gamma and cutout by NumPy; contrast, brightness and noise are tested through `Augmentation`."""

import keras
import numpy as np

from unetdyn.data.augmentation.grey import with_gamma, with_greys, with_hole

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 10, 2)).astype("float32")


def as_numpy(found):
    return keras.ops.convert_to_numpy(found)


def test_gamma_is_a_power_of_what_lies_between_the_least_and_the_largest():
    gamma = np.array([0.5, 1.0, 2.5], "float32")
    found = as_numpy(with_gamma(keras.ops.array(IMAGES), keras.ops.array(gamma[:, None, None, None])))
    for index in range(3):
        for channel in range(2):
            values = IMAGES[index, :, :, channel].astype(float)
            unit = (values - values.min()) / np.ptp(values)
            expected = values.min() + np.ptp(values) * unit ** gamma[index]
            np.testing.assert_allclose(found[index, :, :, channel], expected, atol=2e-6 * 12)


def test_gamma_leaves_an_image_of_one_grey_alone():
    grey = np.full((1, 4, 4, 1), 3.5, "float32")
    np.testing.assert_array_equal(as_numpy(with_gamma(keras.ops.array(grey), 2.0)), grey)


def test_hole_is_the_mean_of_the_image_and_nothing_else_changes():
    boxes = np.array([[2, 3, 7, 9], [0, 0, 12, 10], [4, 4, 4, 8]], "int32")
    found = as_numpy(with_hole(keras.ops.array(IMAGES), keras.ops.array(boxes)))
    for index, (top, left, bottom, right) in enumerate(boxes):
        expected = IMAGES[index].copy()
        expected[top:bottom, left:right] = IMAGES[index].mean(axis=(0, 1))
        np.testing.assert_allclose(found[index], expected, atol=1e-6)


def test_greys_come_in_the_order_that_is_said():
    """Gamma, then contrast about the mean that it leaves, then brightness, then the hole with the mean of all that."""
    draws = {"gamma": [2.0] * 3, "contrast": [0.5] * 3, "brightness": [1.0] * 3}
    draws = {name: keras.ops.array(numbers, "float32") for name, numbers in draws.items()}
    draws["cutout"] = keras.ops.array([[0, 0, 6, 5]] * 3, "int32")
    low, high = IMAGES.min(axis=(1, 2), keepdims=True), IMAGES.max(axis=(1, 2), keepdims=True)
    expected = low + (high - low) * ((IMAGES - low) / (high - low)) ** 2
    mean = expected.mean(axis=(1, 2), keepdims=True)
    expected = (expected - mean) * 0.5 + mean + 1
    expected[:, :6, :5] = expected.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(as_numpy(with_greys(keras.ops.array(IMAGES), draws)), expected, atol=1e-5)
