"""Both ways to turn tiles exactly."""

import itertools

import keras
import numpy as np
import pytest

from unetdyn.data.augmentation.aligned import is_aligned
from unetdyn.data.augmentation.symmetries import turned, turned_on_host


def every_draw(names):
    combinations = np.array(list(itertools.product([False, True], repeat=len(names))))
    return {name: combinations[:, column] for column, name in enumerate(names)}, len(combinations)


def by_index(tile, order, rows, columns, swap):
    """Pixel by pixel: where each comes from."""
    depth, height, width = tile.shape[:3]
    result = np.empty_like(tile)
    for d, r, c in np.ndindex(depth, height, width):
        row, column = (c, r) if swap else (r, c)
        source = (
            depth - 1 - d if order else d,
            height - 1 - row if rows else row,
            width - 1 - column if columns else column,
        )
        result[d, r, c] = tile[source]
    return result


@pytest.mark.parametrize("side", [3, 66])  # the longer one is transposed in two strips
def test_turned_tiles_are_those_of_each_draw_bit_by_bit(side):
    draws, count = every_draw(["order", "rows", "columns", "swap"])
    depth = 2 if side == 3 else 1
    tiles = np.random.default_rng(0).normal(size=(count, depth, side, side, 2)).astype("float32")
    on_host = turned_on_host(tiles, draws)
    on_device = keras.ops.convert_to_numpy(
        turned(keras.ops.array(tiles), {k: keras.ops.array(v) for k, v in draws.items()})
    )
    np.testing.assert_array_equal(on_host, on_device)
    for index in range(count) if side == 3 else (5, 7):
        expected = by_index(tiles[index], *(draws[name][index] for name in ("order", "rows", "columns", "swap")))
        np.testing.assert_array_equal(on_host[index], expected)
    assert is_aligned(on_host)


def test_oblong_tiles_are_flipped():
    draws, count = every_draw(["rows", "columns"])
    tiles = np.random.default_rng(0).normal(size=(count, 3, 5, 1))
    found = turned_on_host(tiles, draws)
    assert found.dtype == np.float32
    for index in range(count):
        flipped = tiles[index, :: -1 if draws["rows"][index] else 1, :: -1 if draws["columns"][index] else 1]
        np.testing.assert_array_equal(found[index], flipped.astype("float32"))
