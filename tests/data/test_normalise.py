import sys

import numpy as np
import pytest

from unetdyn.data import LazyArray, normalise


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_normalise_standardises_each_image_and_channel(dtype):
    images = (np.random.default_rng(0).random((3, 5, 7, 2)) * 250).astype(dtype)
    normalised = normalise(images)
    assert normalised.dtype == np.float32
    for index, channel in np.ndindex(3, 2):
        values = images[index, ..., channel].astype("float64")
        expected = (values - values.mean()) / values.std(ddof=0)
        np.testing.assert_allclose(normalised[index, ..., channel], expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.3])
def test_normalise_turns_a_constant_channel_into_zeros(value):
    images = np.full((1, 7, 9, 2), value, "float32")
    images[..., 1] = np.arange(63).reshape(7, 9)
    normalised = normalise(images)
    assert (normalised[..., 0] == 0).all()
    assert round(float(normalised[..., 1].std()), 5) == 1


def test_normalise_is_exact_far_from_zero():
    images = (np.array([0.0, 1.0] * 8, "float32") + 1e6).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(np.unique(normalise(images)), [-1, 1], atol=1e-6)


@pytest.mark.parametrize(("dtype", "most"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_normalise_unit_divides_by_the_range_of_the_dtype(dtype, most):
    images = np.array([0, most], dtype).reshape(1, 1, 2, 1)
    assert normalise(images, "unit").ravel().tolist() == [0, 1]
    assert normalise(images, "unit").dtype == np.float32


def test_normalise_refuses_nan_and_names_the_image():
    images = np.zeros((2, 2, 2, 1), "float32")
    images[1, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"image '1' holds 1 NaN or infinite values"):
        normalise(images)


def test_normalise_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"`method` must be one of 'per_image', 'unit'. Received: method='unti'. Did"):
        normalise(np.zeros((1, 2, 2, 1)), "unti")
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]. Received: images in \[0, 2\]"):
        normalise(np.array([0.0, 2.0]).reshape(1, 1, 2, 1), "unit")
    with pytest.raises(ValueError, match=r"Received: images.shape=\(2, 2\)"):
        normalise(np.zeros((2, 2)))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_statistics_of_a_section_on_disk_are_taken_some_rows_at_a_time(dtype, monkeypatch):
    monkeypatch.setattr(sys.modules["unetdyn.data.normalise"], "_SLAB", 50)
    images = np.random.default_rng(0).integers(0, 255, (2, 23, 9, 2)).astype(dtype)
    images[1, ..., 1] = 7  # a constant channel becomes 0
    expected = normalise(images)
    np.testing.assert_allclose(normalise(LazyArray.of(images))[:], expected, rtol=1e-5, atol=1e-6)
    assert not normalise(LazyArray.of(images))[1][..., 1].any()


def test_nan_far_down_in_a_section_on_disk_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["unetdyn.data.normalise"], "_SLAB", 10)
    images = np.zeros((1, 9, 5, 1), "float32")
    images[0, 8, 4] = np.nan
    with pytest.raises(ValueError, match="image '0' holds 1 NaN"):
        normalise(LazyArray.of(images))[0, :2]
