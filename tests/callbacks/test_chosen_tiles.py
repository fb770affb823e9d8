"""Which tiles are chosen, against loops over all of them."""

import numpy as np
import pytest

from unetdyn.callbacks.chosen_tiles import (
    Tile,
    as_images,
    chosen_tiles,
    coarser,
    corners,
    eight_bits,
    gate_pictures,
)


def squares(sides, size=16):
    target = np.zeros((len(sides), size, size), dtype=bool)
    for image, side in enumerate(sides):
        target[image, 1 : 1 + side, 2 : 2 + side] = True
    return target


@pytest.mark.parametrize(("height", "width", "size"), [(7, 7, 8), (8, 20, 8), (33, 17, 8), (9, 9, 8)])
def test_tiles_cover_the_image_and_have_one_size(height, width, size):
    seen = np.zeros((height, width), dtype=bool)
    places = list(corners(height, width, size))
    for row, column in places:
        part = seen[row : row + size, column : column + size]
        assert part.shape == (min(size, height), min(size, width))
        part[:] = True
    assert seen.all()
    assert len(places) == -(-height // size) * -(-width // size)


def test_each_kind_has_the_most_of_what_it_is_chosen_for():
    target = squares([0, 3, 6, 9, 2, 0])
    target[1, 1::2, ::2] = True  # nothing but boundary, and less foreground than the largest square
    p = np.where(target, 0.9, 0.1).astype("float32")
    p[4] = 1 - p[4]
    p[5] += 0.1
    found = chosen_tiles(target, p, each=1, size=16, most=99, seed=0)
    foreground = [int(mask.sum()) for mask in target]
    error = [float(np.abs(a - b).mean()) for a, b in zip(p, target, strict=True)]
    assert found[0] == (int(np.argmax(foreground)), 0, 0, "most foreground")
    assert [tile.kind for tile in found] == ["most foreground", "most boundary", "hardest", "random"]
    assert found[2].image == int(np.argmax(error)) == 4
    assert len({tile.image for tile in found}) == 4


def test_empty_masks_leave_the_hardest_and_chance():
    target = squares([0] * 9)
    found = chosen_tiles(target, np.zeros(target.shape, "float32"), each=2, size=16, most=99, seed=0)
    assert [tile.kind for tile in found] == ["hardest"] * 2 + ["random"] * 6


def test_there_are_no_more_tiles_than_there_are_or_have_room():
    target = squares([3, 4])
    p = target.astype("float32")
    assert len(chosen_tiles(target, p, each=2, size=16, most=99, seed=0)) == 2
    assert len(chosen_tiles(target, p, each=2, size=8, most=99, seed=0)) == 8
    assert len(chosen_tiles(target, p, each=2, size=8, most=3, seed=0)) == 3


def test_chance_is_that_of_the_seed():
    target = squares([0] * 40)
    p = np.zeros(target.shape, "float32")
    chosen = [[tile.image for tile in chosen_tiles(target, p, 2, 16, 99, seed)] for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_images_are_grey_or_of_three_colours():
    space = (4, 4)
    for channels, kept in ((1, 1), (2, 1), (3, 3), (5, 1)):
        x = np.random.default_rng(0).random((2, 4, 4, channels))
        np.testing.assert_array_equal(as_images(x, space), x[..., :kept])
    assert as_images(np.ones((2, 4, 4)), space).shape == (2, 4, 4, 1)
    assert not as_images(np.ones((2, 9)), space).any()
    volume = np.arange(2 * 5 * 4 * 4).reshape(2, 5, 4, 4, 1)
    np.testing.assert_array_equal(as_images(volume, (5, 4, 4)), volume[:, 2])


def test_eight_bits_reach_from_the_darkest_to_the_brightest():
    found = eight_bits(np.linspace(-3, 7, 1001))
    assert (found[0], found[500], found[-1]) == (0, 127, 255)
    assert (np.diff(found.astype(int)) >= 0).all()
    assert not eight_bits(np.full(4, 5.0)).any()
    assert not eight_bits(np.full(4, np.nan)).any()


def test_coarser_is_the_mean_of_blocks():
    values = np.random.default_rng(0).random((6, 9))
    expected = [[values[3 * i : 3 * i + 3, 3 * j : 3 * j + 3].mean() for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(coarser(values, 3), expected)
    assert coarser(values, 4).shape == (2, 3)


def test_gate_shows_the_part_that_belongs_to_the_tile():
    maps = np.zeros((2, 8, 8))
    maps[1, 4:, :4] = 1.0  # at half of the resolution: rows from 8 on, columns up to 8
    tiles = [Tile(1, 8, 0, "hardest"), Tile(1, 0, 8, "random")]
    found = gate_pictures(maps, tiles, whole=(16, 16), size=8)
    assert found.shape == (2, 4, 4)
    assert found.mean(axis=(1, 2)).tolist() == [1.0, 0.0]
    assert gate_pictures(np.zeros((2, 200, 200)), tiles[:1], (200, 200), 256).shape == (1, 50, 50)
