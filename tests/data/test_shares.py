"""Batches that devices can or can't share. Keras itself, with two devices: tests/contracts/test_several_devices.py."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from unetdyn.callbacks import BatchSizeSchedule
from unetdyn.data import TileDataset
from unetdyn.data.shares import check_shares, devices_sharing


def over(monkeypatch, shape=(2,), axes=("batch",), processes=1, backend="jax"):
    mesh = SimpleNamespace(shape=shape, axis_names=axes)
    found = SimpleNamespace(device_mesh=mesh, batch_dim_name="batch", num_processes=processes)
    monkeypatch.setattr(keras.distribution, "distribution", lambda: found)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        ({"shape": (4,)}, 4),
        ({"shape": (4, 2), "axes": ("model", "batch")}, 2),
        ({"shape": (4, 1), "axes": ("model", "batch")}, 1),
        ({"shape": (4,), "axes": ("model",)}, 1),
        ({"shape": (8,), "processes": 2}, 4),
        ({"shape": (4,), "backend": "tensorflow"}, 1),
    ],
)
def test_devices_are_those_along_the_axis_of_the_batch_in_this_process(monkeypatch, options, devices):
    over(monkeypatch, **options)
    assert devices_sharing() == devices


def test_batches_are_refused_exactly_where_one_is_no_multiple(monkeypatch):
    over(monkeypatch, (3,))
    for tiles in range(1, 20):
        for batch in range(1, tiles + 1):
            for drop_last in (False, True):
                sizes = [len(range(start, min(start + batch, tiles))) for start in range(0, tiles, batch)]
                drawn = [size for size in sizes if size == batch or not drop_last]
                try:
                    check_shares(tiles, batch, drop_last)
                    refused = False
                except ValueError:
                    refused = True
                assert refused == any(size % 3 for size in drawn), (tiles, batch, drop_last)


def test_datasets_and_schedules_say_what_to_do(monkeypatch):
    tiles = np.zeros((2, 15, 4, 4, 1))
    early = TileDataset(*tiles, batch_size=4)
    over(monkeypatch)
    with pytest.raises(ValueError, match=r"multiple of 2. Received: batch_size=3. Pass such as `batch_size=4`."):
        TileDataset(*tiles, batch_size=3)
    message = (
        r"the last too. Received: 15 tiles and batch_size=4, which leaves a last batch of 3. Pass `drop_last=True`"
    )
    with pytest.raises(ValueError, match=message):
        TileDataset(*tiles, batch_size=4)
    with pytest.raises(ValueError, match=message):
        early.num_batches  # noqa: B018 - as `fit` asks for it
    whole = TileDataset(*tiles, batch_size=4, drop_last=True)
    assert whole.num_batches == 3
    with pytest.raises(ValueError, match=r"batch_size=5. Pass such as `batch_size=6`"):
        BatchSizeSchedule(whole, {0: 4, 1: 5})
