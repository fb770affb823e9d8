import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.data import LazyArray, Stack, check_tile_leakage, stitch, tile


def make(sections, height, width, channels=1):
    images = np.random.default_rng(0).integers(0, 65535, (sections, height, width, channels)).astype("uint16")
    return Stack(images, (images[..., :1] > 30000).astype("uint8"), tuple(str(index) for index in range(sections)))


@st.composite
def cuts(draw):
    size = draw(st.integers(1, 6))
    height, width = draw(st.integers(size, 14)), draw(st.integers(size, 14))
    return draw(st.integers(1, 3)), height, width, size, draw(st.integers(1, size))


@given(cuts())
@settings(deadline=None, max_examples=40)
def test_stitch_is_the_inverse_of_tile(cut):
    sections, height, width, size, stride = cut
    stack = make(sections, height, width, channels=2)
    tiles = tile(stack, size, stride)
    np.testing.assert_array_equal(stitch(tiles, tiles.images), stack.images)
    np.testing.assert_array_equal(stitch(tiles, tiles.masks), stack.masks)


@given(cuts())
@settings(deadline=None, max_examples=40)
def test_tile_cuts_where_it_says(cut):
    sections, height, width, size, stride = cut
    stack = make(sections, height, width)
    tiles = tile(stack, size, stride)
    assert tiles.images.dtype == stack.images.dtype
    for index in range(len(tiles)):
        section, row, col = tiles.section[index], tiles.row[index], tiles.col[index]
        place = np.s_[section, row : row + size, col : col + size]
        np.testing.assert_array_equal(tiles.images[index], stack.images[place])
        np.testing.assert_array_equal(tiles.masks[index], stack.masks[place])
    places = list(zip(tiles.section, tiles.row, tiles.col, strict=True))
    assert places == sorted(set(places))


def test_tile_cuts_the_expected_number():
    assert len(tile(make(13, 512 // 8, 512 // 8), size=128 // 8)) == 13 * 16
    assert sorted(set(tile(make(1, 10, 4), size=4, stride=3).row.tolist())) == [0, 3, 6]
    assert sorted(set(tile(make(1, 11, 4), size=4, stride=3).row.tolist())) == [0, 3, 6, 7]


def test_stitch_averages_overlaps():
    tiles = tile(make(1, 2, 3), size=2, stride=1)
    values = np.stack([np.full((2, 2, 1), 1.0), np.full((2, 2, 1), 4.0)])
    np.testing.assert_array_equal(stitch(tiles, values)[0, ..., 0], [[1, 2.5, 4], [1, 2.5, 4]])


def test_tiles_take_keeps_the_place():
    tiles = tile(make(2, 4, 4), size=2).take([5, 1])
    assert len(tiles) == 2
    assert tiles.size == 2
    assert tiles.section.tolist() == [1, 0]
    assert tiles.col.tolist() == [2, 2]


@pytest.mark.parametrize(("size", "stride"), [(5, None), (0, None), (2.5, None), (4, 5), (4, 0)])
def test_tile_refuses_sizes_that_do_not_fit(size, stride):
    with pytest.raises(ValueError, match=r"`(size|stride)` must be .*Received: "):
        tile(make(1, 4, 8), size, stride)


def test_stitch_refuses_values_of_another_shape_and_missing_tiles():
    tiles = tile(make(1, 4, 4), size=2)
    with pytest.raises(ValueError, match=r"Received: values.shape=\(4, 2, 3, 1\)"):
        stitch(tiles, np.zeros((4, 2, 3, 1)))
    with pytest.raises(ValueError, match=r"3 tiles that leave 4 pixels uncovered"):
        stitch(tiles.take([0, 1, 2]), np.zeros((3, 2, 2, 1)))


@st.composite
def blocks(draw):
    size = [draw(st.integers(1, 4)) for _ in range(3)]
    lengths = [draw(st.integers(side, 7)) for side in size]
    return lengths, tuple(size), tuple(draw(st.integers(1, side)) for side in size)


@given(blocks())
@settings(deadline=None, max_examples=30)
def test_tile_cuts_blocks_that_cover_a_volume(cut):
    lengths, size, stride = cut
    stack = make(*lengths, channels=2)
    tiles = tile(stack, size, stride)
    assert tiles.images.shape[1:] == (*size, 2)
    depth, height, width = size
    for index in range(len(tiles)):
        section, row, col = tiles.section[index], tiles.row[index], tiles.col[index]
        place = np.s_[section : section + depth, row : row + height, col : col + width]
        np.testing.assert_array_equal(tiles.images[index], stack.images[place])
        np.testing.assert_array_equal(tiles.masks[index], stack.masks[place])
    np.testing.assert_array_equal(stitch(tiles, tiles.images), stack.images)
    lazy = tile(Stack(LazyArray.of(stack.images), LazyArray.of(stack.masks), stack.names), size, stride)
    np.testing.assert_array_equal(lazy.images[:], tiles.images)
    np.testing.assert_array_equal(lazy.take([len(tiles) - 1, 0]).masks[:], tiles.masks[[-1, 0]])


def test_tile_cuts_blocks_only_from_sections_that_adjoin():
    stack = make(8, 4, 4).take([0, 1, 2, 5, 6, 7])
    assert tile(stack, (2, 4, 4)).section.tolist() == [0, 1, 3, 4]
    assert tile(stack, (1, 4, 4)).section.tolist() == tile(stack, 4).section.tolist() == list(range(6))
    with pytest.raises(
        ValueError, match=r"at most as many sections as adjoin\. Received: a depth of 4, .*'0' on there are 3"
    ):
        tile(stack, (4, 4, 4))
    assert tile(make(8, 4, 4).take([3, 2]), (1, 4, 4)).images.shape == (2, 1, 4, 4, 1)


@pytest.mark.parametrize(
    ("size", "stride"), [((2, 3), None), ((2, 0, 3), None), ((2, 4, 5), None), ((2, 2, 2), (1, 3, 1))]
)
def test_tile_refuses_blocks_that_do_not_fit(size, stride):
    with pytest.raises(ValueError, match=r"`(size|stride)` must be .*Received: "):
        tile(make(3, 4, 4), size, stride)


def test_stitch_refuses_values_of_another_shape_in_3d():
    tiles = tile(make(2, 4, 4), size=(2, 2, 2))
    with pytest.raises(ValueError, match=r"\(tiles, depth, height, width, channels\) with \(4, 2, 2, 2\) in front"):
        stitch(tiles, np.zeros((4, 2, 2, 1)))


def test_check_tile_leakage_counts_every_section_of_a_block():
    tiles = tile(make(4, 4, 4), size=(2, 4, 4), stride=1)
    assert tiles.section.tolist() == [0, 1, 2]
    assert check_tile_leakage(tiles.take([0]), tiles.take([2])).ok
    assert str(check_tile_leakage(tiles.take([0]), tiles.take([1, 2]))) == (
        "Section '1' gives 1 tiles to train and 1 to validation."
    )


def test_tile_cuts_weights_as_it_cuts_masks():
    stack = make(2, 7, 6)
    assert tile(stack, 3).weights is None
    tiles = tile(Stack(stack.images, stack.masks, stack.names, stack.masks), size=3, stride=2)
    np.testing.assert_array_equal(tiles.weights, tiles.masks)
    np.testing.assert_array_equal(tiles.take([3, 1]).weights, tiles.masks[[3, 1]])
