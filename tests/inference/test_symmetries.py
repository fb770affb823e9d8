"""Each symmetry is undone exactly, and they are the whole group."""

import numpy as np
import pytest

from unetdyn.inference.symmetries import symmetries


@pytest.mark.parametrize(("tta", "rank", "count"), [(None, 2, 1), ("mirrors", 2, 4), ("all", 2, 8)])
@pytest.mark.parametrize("depth", [0, 3])
def test_each_symmetry_is_another_one_and_is_undone(tta, rank, count, depth):
    rank, count = (3, count * (1 + (tta is not None))) if depth else (rank, count)
    tile = np.random.default_rng(0).random((depth, 4, 4, 2)[-rank - 1 :])
    seen = set()
    for symmetry in symmetries(tta, rank):
        turned = symmetry.apply(tile)
        seen.add(turned.tobytes())
        np.testing.assert_array_equal(symmetry.undo(turned), tile)
    assert len(seen) == count


def test_all_symmetries_of_a_square_are_the_dihedral_group():
    tile = np.arange(9).reshape(3, 3, 1)
    expected = {np.rot90(side, turns).tobytes() for side in (tile, tile.transpose(1, 0, 2)) for turns in range(4)}
    assert {symmetry.apply(tile).tobytes() for symmetry in symmetries("all", 2)} == expected


def test_mirrors_keep_the_shape_of_a_tile_that_is_no_square():
    tile = np.zeros((3, 5, 1))
    assert {symmetry.apply(tile).shape for symmetry in symmetries("mirrors", 2)} == {(3, 5, 1)}
