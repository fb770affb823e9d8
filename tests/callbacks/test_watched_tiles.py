"""Tiles with what was predicted of them, against the arrays that they were cut from."""

import numpy as np
import pytest

from unetdyn.callbacks.probe_monitor import Maps
from unetdyn.callbacks.probe_set import NoProbeError, Probe
from unetdyn.callbacks.watched_tiles import WatchedTiles, levels_of
from unetdyn.runs.predictions import HALF, Predictions


def planted(space=(12, 20), images=5):
    rng = np.random.default_rng(0)
    p = rng.random((images, *space), dtype="float32")
    return p, Maps(rng.random(p.shape) > 0.6, p, p > 0.5)


def test_levels_are_on_the_side_of_the_model():
    """A logit of 1e-9 is above 0, and its probability is ½ to float32."""
    p = np.full(2, 0.5, "float32")
    assert levels_of(p, np.array([True, False])).tolist() == [HALF, HALF - 1]


@pytest.mark.parametrize("space", [(12, 20), (3, 12, 20)])
def test_tiles_are_parts_of_images_and_volumes_which_are_predicted_again_by_themselves(space):
    x, maps = planted(space)
    tiles = WatchedTiles(size=10, max_bytes=2**16)
    tiles.choose(x, maps, gates=0, each=1, seed=0)
    tiles.keep(0, maps, {}, [tile.image for tile in tiles.chosen], best=None)
    probe = tiles.probe_of(Probe(x[..., None], maps.target, batch_size=2))
    assert len(probe.x) % 2 == 0
    chosen = sorted({tile.image for tile in tiles.chosen})
    alone = Maps(*(each[chosen] for each in (maps.target, maps.probabilities, maps.above)))
    tiles.keep(1, alone, {}, tiles.rows, best=None)

    again = WatchedTiles(size=10, max_bytes=2**16)
    again.set_state(tiles.get_state())
    found = Predictions.from_record(again.record | {"best": np.array(-1)})
    assert found.shape == (4, 10, 10, 1)
    middle = x if len(space) == 2 else x[:, 1]
    expected = np.stack([middle[i, row : row + 10, column : column + 10] for i, row, column in found.places])
    for epoch in (0, 1):
        np.testing.assert_allclose(found.probability(epoch), expected, atol=1 / 512 + 1e-6)


def test_tiles_of_more_images_than_there_are_have_no_probe():
    x, maps = planted()
    tiles = WatchedTiles(size=12, max_bytes=2**16)
    tiles.choose(x, maps, gates=0, each=9, seed=0)
    with pytest.raises(NoProbeError, match="others than those that the tiles were chosen from"):
        tiles.probe_of(Probe(x[:2], maps.target[:2], batch_size=1))


def test_room_that_is_too_small_for_one_tile_is_told():
    x, maps = planted((256, 256), images=1)
    with pytest.raises(ValueError, match="a tile of 256 × 256 pixels needs 393216 bytes, and max_bytes is 65536"):
        WatchedTiles(256, 2**16).choose(x, maps, gates=0, each=1, seed=0)
