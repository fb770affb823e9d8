"""Projection through a section and exposure, against numerical integration and moments."""

import numpy as np
import pytest

from unetdyn.data.synthetic_optics import cover, expose, sheet


@pytest.mark.parametrize(("top", "bottom"), [(0.0, 0.0), (-3.0, 2.0), (1.0, 1.2), (4.0, -1.0), (2.0, 9.0)])
def test_sheet_is_the_mean_profile_over_the_thickness(top: float, bottom: float) -> None:
    distance = np.linspace(top, bottom, 20_001)
    expected = np.exp(-(distance**2) / (2 * 0.8**2)).mean()
    assert float(sheet(np.array(top), np.array(bottom), 0.8)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("top", "bottom"), [(-3.0, 2.0), (2.0, -1.0), (-5.0, -2.0), (3.0, 8.0)])
def test_cover_is_the_share_of_the_thickness_inside(top: float, bottom: float) -> None:
    expected = (np.linspace(top, bottom, 20_001) < 0).mean()
    assert float(cover(np.array(top), np.array(bottom))) == pytest.approx(expected, abs=1e-3)


def test_expose_without_blur_noise_and_uneven_light_only_rounds() -> None:
    tissue = np.linspace(-20, 280, 64 * 64).reshape(64, 64)
    image = expose(tissue, np.random.default_rng(0), 0, 0, 0)
    np.testing.assert_array_equal(image, np.rint(np.clip(tissue, 0, 255)).astype(np.uint8))


@pytest.mark.parametrize("grey", [64.0, 128.0, 192.0])
def test_expose_noise_grows_with_the_square_root_of_brightness(grey: float) -> None:
    image = expose(np.full((256, 256), grey), np.random.default_rng(1), 0.5, 10, 0)
    assert image.std() == pytest.approx(10 * np.sqrt(grey / 128), rel=0.03)
    assert image.mean() == pytest.approx(grey, abs=0.3)


def test_expose_uneven_light_has_the_stated_gradient() -> None:
    image = expose(np.full((129, 129), 128.0), np.random.default_rng(2), 0, 0, 0.2).astype(float)
    # A plane fitted by least squares: the vignette is even in both directions and drops out.
    y, x = np.mgrid[-1:1:129j, -1:1:129j]
    down, right = (image * y).sum() / (y * y).sum(), (image * x).sum() / (x * x).sum()
    assert 2 * np.hypot(down, right) == pytest.approx(0.2 * 255, rel=0.02)
