"""Rotation, zoom, shear, shift and elastic deformation, as the backend compiles them: where each pixel goes."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from moved_images import SIDE, blobs, centre, discs, matrix, move
from unetdyn.data.augmentation.elastic import displacements, drawn_grid, spline_basis
from unetdyn.data.augmentation.geometry import reflected


def expected_place(row, column, angle, scale, shear, shift):
    """By sines and cosines, with rows counted upwards: a second way to the same place."""
    x, y = column + row * np.tan(np.radians(shear)), -row
    turned = scale * (x + 1j * y) * np.exp(1j * np.radians(angle))
    return -turned.imag + shift[0], turned.real + shift[1]


@pytest.mark.parametrize(
    "change",
    [
        {"angle": 30.0},
        {"angle": -75.0},
        {"scale": 1.4},
        {"scale": 0.7},
        {"shear": 20.0},
        {"shift": (5.0, -7.25)},
        {"angle": 50.0, "scale": 0.8, "shear": -15.0, "shift": (-3.5, 4.0)},
    ],
    ids=str,
)
def test_a_disc_off_the_centre_goes_where_it_belongs_and_its_mask_with_it(change):
    images, masks = discs(6.0, -8.0)
    moved, moved_masks = move(images, masks, matrix(**change))
    expected = expected_place(6.0, -8.0, **{"angle": 0.0, "scale": 1.0, "shear": 0.0, "shift": (0.0, 0.0)} | change)
    scale = change.get("scale", 1.0)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    around = np.hypot(rows - expected[0], columns - expected[1]) < 7 * scale + 4  # not the disc's mirror image
    for part, off in ((moved, 0.1), (moved_masks, 0.5)):  # the nearest pixel is up to half of one away
        for image in part:
            shown = image * around[:, :, None]
            np.testing.assert_allclose(centre(shown), expected, atol=off)
            assert shown.sum() == pytest.approx(np.pi * 7**2 * scale**2, rel=0.05)


@pytest.mark.parametrize("angle", [90.0, 180.0, -90.0])
def test_a_rotation_by_right_angles_is_the_exact_turn(angle):
    images, masks = blobs()
    moved, moved_masks = move(images, masks, matrix(angle=angle))
    turns = int(angle // 90)
    np.testing.assert_allclose(moved, np.rot90(images, turns, axes=(1, 2)), atol=1e-4)
    np.testing.assert_array_equal(moved_masks, np.rot90(masks, turns, axes=(1, 2)))


def test_a_matrix_of_a_symmetry_is_the_exact_symmetry():
    images, masks = blobs(count=8)
    rows, columns, swap = (np.arange(8) >> bit & 1 > 0 for bit in range(3))
    moved, moved_masks = move(images, masks, matrix(8, symmetry=(rows, columns, swap)))
    for index in range(8):
        slices = slice(None, None, -1 if rows[index] else 1), slice(None, None, -1 if columns[index] else 1)
        image, mask = (part[index][slices] for part in (images, masks))
        if swap[index]:
            image, mask = image.swapaxes(0, 1), mask.swapaxes(0, 1)
        np.testing.assert_allclose(moved[index], image, atol=1e-4)
        np.testing.assert_array_equal(moved_masks[index], mask)


def test_nothing_drawn_is_nothing_changed():
    images, masks = blobs()
    moved, moved_masks = move(images, masks, matrix())
    np.testing.assert_allclose(moved, images, atol=1e-5)
    np.testing.assert_array_equal(moved_masks, masks)


def test_half_a_pixel_is_the_mean_of_two():
    images, masks = blobs()
    moved, _ = move(images, masks, matrix(shift=(0.0, 0.5)))
    np.testing.assert_allclose(moved[:, :, 1:], (images[:, :, 1:] + images[:, :, :-1]) / 2, atol=1e-4)
    np.testing.assert_allclose(moved[:, :, 0], images[:, :, 0], atol=1e-4)  # between a pixel and its mirror image


def test_resampling_is_that_of_scipy_with_images_that_are_mirrored_at_their_border():
    """Every kind at once, by `map_coordinates` in double precision; two channels, of which each has its own values."""
    rng = np.random.default_rng(3)
    images = rng.normal(size=(4, SIDE, SIDE, 2)).astype("float32")
    masks = (images > 0.5).astype("float32")
    spacing = 12.0
    grid, basis = drawn_grid(rng, 4, (SIDE, SIDE), 1.2, spacing), spline_basis(SIDE, spacing)
    drawn = matrix(
        angle=rng.uniform(-180, 180, 4),
        scale=rng.uniform(0.4, 1.6, 4),
        shear=rng.uniform(-40, 40, 4),
        shift=rng.uniform(-40, 40, (4, 2)),
        symmetry=(rng.random((3, 4)) < 0.5),
    )
    moved, moved_masks = move(images, masks, drawn, elastic=grid, elastic_rows=basis, elastic_columns=basis)
    middle = (SIDE - 1) / 2
    fine = np.einsum("hg,bgkc,wk->bchw", basis.astype(float), grid.astype(float), basis.astype(float))
    asked = fine + (np.mgrid[:SIDE, :SIDE] - middle)
    places = np.einsum("bij,bjhw->bihw", drawn[:, :, :2].astype(float), asked) + drawn[:, :, 2, None, None] + middle
    outside = ((places < 0) | (places > SIDE - 1)).any(axis=1)
    assert 0.2 < outside.mean() < 0.8
    wrong = 0
    for index in range(4):
        for channel in range(2):
            image, mask = (part[index, :, :, channel].astype(float) for part in (images, masks))
            expected = ndimage.map_coordinates(image, places[index], order=1, mode="reflect")
            np.testing.assert_allclose(moved[index, :, :, channel], expected, atol=2e-3)
            nearest = ndimage.map_coordinates(mask, places[index], order=0, mode="reflect")
            wrong += (moved_masks[index, :, :, channel] != nearest).sum()
    assert wrong <= 4  # of 18,432: places that lie half-way between two pixels, to rounding


def test_reflection_continues_by_the_mirror_image():
    padded = np.pad(np.arange(5.0), 12, mode="symmetric")
    places = np.arange(-12, 17).astype("float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(reflected(keras.ops.array(places), 5)), padded)


def test_image_and_mask_never_part():
    """Away from the edge of a blob the moved image's sign is the moved mask, under all that moves."""
    images, masks = blobs(count=8)
    rng = np.random.default_rng(5)
    grid, basis = drawn_grid(rng, 8, (SIDE, SIDE), 2.0, 16.0), spline_basis(SIDE, 16.0)
    drawn = matrix(8, angle=rng.uniform(-180, 180, 8), scale=rng.uniform(0.8, 1.2, 8), shift=rng.uniform(-9, 9, (8, 2)))
    moved, moved_masks = move(images, masks, drawn, elastic=grid, elastic_rows=basis, elastic_columns=basis)
    assert set(np.unique(moved_masks)) == {0.0, 1.0}
    clear = np.abs(moved) > 0.3
    assert clear.mean() > 0.5
    np.testing.assert_array_equal((moved > 0)[clear], moved_masks.astype(bool)[clear])
    field = keras.ops.convert_to_numpy(displacements(grid, basis, basis))
    assert field.shape == (2, 8, SIDE, SIDE)
