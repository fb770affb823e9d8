"""Noise: by unsigned NumPy integers and SciPy's quantiles, and its distribution."""

import itertools

import keras
import numpy as np
from scipy import stats

from unetdyn.data.augmentation.noise import mixed, standard_normal

KEYS = np.random.default_rng(0).integers(-(2**31), 2**31, (6, 2), dtype=np.int32)
SHAPE = (6, 64, 64, 2)


def lowbias32(x):
    """As published, on unsigned numbers."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def noise(shape=SHAPE, keys=KEYS):
    return keras.ops.convert_to_numpy(standard_normal(shape, keys))


def test_bits_are_mixed_as_published():
    numbers = np.random.default_rng(1).integers(-(2**31), 2**31, 1000, dtype=np.int32)
    found = keras.ops.convert_to_numpy(mixed(keras.ops.array(numbers)))
    np.testing.assert_array_equal(found.view(np.uint32), lowbias32(numbers.view(np.uint32)))


def test_noise_is_the_quantile_of_the_mixed_key_and_place():
    places, keys = np.arange(64 * 64 * 2, dtype=np.uint32), KEYS.view(np.uint32)
    bits = lowbias32(lowbias32(places[None] ^ keys[:, :1]) ^ keys[:, 1:])
    expected = stats.norm.ppf(((bits >> np.uint32(8)).astype(float) + 0.5) / 2**24)
    found = noise().reshape(6, -1)
    near = np.abs(expected) < 3
    np.testing.assert_allclose(found[near], expected[near], atol=2e-5)
    np.testing.assert_allclose(found, expected, atol=1e-3)  # in float32 the tails are further apart


def test_noise_is_normal_and_independent_from_image_to_image():
    """Each bound holds for one sample in 100,000 normal ones; the keys are fixed, so it holds always or never."""
    found, rare = noise().reshape(6, -1).astype(float), 1e-5
    count = found.shape[1]
    for image in found:
        assert abs(image.mean()) < stats.norm.isf(rare / 2) / np.sqrt(count)
        assert (
            stats.chi2.ppf(rare / 2, count - 1) < image.var(ddof=1) * (count - 1) < stats.chi2.isf(rare / 2, count - 1)
        )
        assert stats.kstest(image, "norm").pvalue > rare
    between = np.corrcoef(found)[np.triu_indices(6, 1)]
    along = [np.corrcoef(image[:-lag], image[lag:])[0, 1] for image in found for lag in (1, 2, 128)]
    assert np.abs([*between, *along]).max() < stats.norm.isf(rare / 2) / np.sqrt(count)


def test_no_image_has_the_numbers_of_another_in_another_order():
    found = np.sort(noise().reshape(6, -1))
    assert all(np.abs(one - other).max() > 1e-3 for one, other in itertools.combinations(found, 2))
