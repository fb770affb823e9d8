"""The random field: its splines by SciPy, its size, and that it folds nowhere."""

import keras
import numpy as np
import pytest
from scipy.interpolate import NdBSpline

from unetdyn.data.augmentation.elastic import LARGEST_COEFFICIENT, displacements, drawn_grid, spline_basis


def field(grid, height, width, spacing):
    """`(2, samples, height, width)`."""
    bases = spline_basis(height, spacing), spline_basis(width, spacing)
    return keras.ops.convert_to_numpy(displacements(grid, *bases))


def folds(field):
    """The determinant of the derivative of place plus displacement, by differences: below 0 where tissue folds."""
    (down_down, down_right), (right_down, right_right) = (np.gradient(part, axis=(1, 2)) for part in field)
    return (1 + down_down) * (1 + right_right) - down_right * right_down


@pytest.mark.parametrize(("height", "width", "spacing"), [(48, 48, 12.0), (40, 65, 16.0), (20, 31, 7.3), (9, 5, 32.0)])
def test_field_is_the_tensor_product_of_cubic_splines(height, width, spacing):
    grid = drawn_grid(np.random.default_rng(0), 2, (height, width), 1.0, spacing)
    found = field(grid, height, width, spacing)
    knots = [np.arange(-3.0, points + 1) for points in grid.shape[1:3]]
    places = np.stack(np.mgrid[:height, :width], axis=-1) / spacing
    for sample in range(2):
        expected = NdBSpline(tuple(knots), grid[sample].astype(float), 3)(places)
        np.testing.assert_allclose(found[:, sample], np.moveaxis(expected, -1, 0), atol=1e-4)


def test_displacement_has_the_stated_deviation():
    samples, spacing = 4000, 16.0
    found = field(drawn_grid(np.random.default_rng(1), samples, (33, 33), 0.5, spacing), 33, 33, spacing)
    deviation = found.std(axis=1)
    # σ of a σ from 4,000 samples is 1.1 %.
    np.testing.assert_allclose(deviation[:, ::16, ::16], 0.5, rtol=0.05)
    assert np.abs(found.mean(axis=1)).max() < 0.04
    # Half-way between points a cubic B-spline's weights are 1, 23, 23 and 1 of 48.
    along_one_axis = np.sqrt(2 * (1 + 23**2)) / 48 / np.sqrt(0.5)
    np.testing.assert_allclose(deviation[:, 8, 8], 0.5 * along_one_axis**2, rtol=0.05)
    assert 0.91 < along_one_axis**2 < 0.93
    assert abs(np.corrcoef(found[0, :, 16, 16], found[1, :, 16, 16])[0, 1]) < 0.06


def test_neighbours_move_together():
    spacing = 16.0
    grid = drawn_grid(np.random.default_rng(2), 8, (48, 48), 2.0, spacing)
    found = field(grid, 48, 48, spacing)
    # A cubic B-spline's first derivative is at most the largest difference of two neighbouring coefficients over the
    # spacing, its second at most that of two such differences over the spacing again.
    for axis in (2, 3):
        along = axis - 1
        first, second = (np.abs(np.diff(grid, n=n, axis=along)).max() / spacing**n for n in (1, 2))
        assert np.abs(np.diff(found, axis=axis)).max() <= first * 1.001
        assert np.abs(np.diff(found, n=2, axis=axis)).max() <= second * 1.001 + 1e-4


def test_no_tissue_folds_at_the_largest_elasticity_that_is_allowed():
    spacing = 8.0
    drawn = drawn_grid(np.random.default_rng(3), 300, (40, 40), spacing / 8, spacing)
    assert np.abs(drawn).max() == pytest.approx(LARGEST_COEFFICIENT * spacing)
    assert folds(field(drawn, 40, 40, spacing)).min() > 0
    # The worst: all coefficients as large as they may be, with any signs. Half as large again, and some of it folds.
    signs = np.random.default_rng(4).choice([-1.0, 1.0], drawn.shape).astype("float32") * LARGEST_COEFFICIENT * spacing
    assert folds(field(signs, 40, 40, spacing)).min() > 0
    assert folds(field(1.5 * signs, 40, 40, spacing)).min() < 0
