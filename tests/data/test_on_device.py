import threading

import keras
import numpy as np
import pytest

from unetdyn.data import TileDataset
from unetdyn.data.on_device import Destination

BACKEND = keras.backend.backend()
BATCH = (np.arange(8.0, dtype="float32").reshape(2, 4), [np.ones((2, 3), "float32")[:, ::2], np.arange(2)])


def put(destination):
    """A batch on its device, and the same for comparison."""
    found = destination.put(BATCH)
    for part, expected in zip(keras.tree.flatten(found), keras.tree.flatten(BATCH), strict=True):
        np.testing.assert_array_equal(np.asarray(part), expected)
    return found


@pytest.mark.parametrize("in_loop", [True, False])
def test_batch_stays_where_it_is_without_an_accelerator(in_loop):
    destination = Destination.here(in_loop)
    assert not destination.moves
    assert destination.put(BATCH) is BATCH
    dataset = TileDataset(np.zeros((4, 2, 2, 1)), np.zeros((4, 2, 2, 1)), 2)
    dataset.on_epoch_begin()
    assert type(dataset[0][0]) is type(dataset[1][1]) is np.ndarray


def test_destination_tells_another_thread_the_device():
    if BACKEND == "tensorflow":
        assert Destination.here(in_loop=True).device is None
        return
    name, seen = {"jax": "cpu:0", "torch": "meta"}[BACKEND], []

    def look():
        with destination.scope():
            seen.append(Destination.here(in_loop=False))

    with keras.device(name):
        destination = Destination.here(in_loop=False)
        inner = threading.Thread(target=look)
    inner.start()
    inner.join()
    assert seen == [destination] != [Destination.here(in_loop=False)]
    assert hash(destination) == hash(seen[0])


def test_jax_has_arrays_on_its_device_within_a_loop_of_keras(monkeypatch):
    if BACKEND != "jax":
        pytest.skip("of JAX")
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not Destination.here(in_loop=False).moves
    destination = Destination.here(in_loop=True)
    assert all(isinstance(part, jax.Array) for part in keras.tree.flatten(put(destination)))
    there = destination.put(BATCH)
    assert destination.put(there)[0] is there[0]
    dataset = TileDataset(np.zeros((6, 2, 2, 1)), np.zeros((6, 2, 2, 1)), 2)
    dataset.on_epoch_begin()
    assert all(isinstance(part, jax.Array) for index in range(3) for part in dataset[index])
    dataset.on_epoch_end()
    assert type(dataset[0][0]) is np.ndarray


def test_jax_leaves_the_shares_of_several_devices_to_keras(monkeypatch):
    if BACKEND != "jax":
        pytest.skip("of JAX")
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with keras.distribution.DataParallel(devices=["cpu:0"], auto_shard_dataset=False).scope():
        assert not Destination.here(in_loop=True).moves


def test_torch_has_tensors_by_way_of_pinned_memory(monkeypatch):
    if BACKEND != "torch":
        pytest.skip("of PyTorch")
    import torch

    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self.shape) or self)
    with keras.device("cuda:0"):
        assert Destination.here(in_loop=True) == Destination("cuda:0", moves=True)
        assert not Destination.here(in_loop=False).moves
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    with keras.device("cuda"):  # of several the one that this thread has chosen
        assert Destination.here(in_loop=True) == Destination("cuda:1", moves=True)
    image, (mask, numbers) = put(Destination("cpu", moves=True))
    assert type(image) is type(mask) is torch.Tensor
    assert isinstance(numbers, np.ndarray)  # Keras knows what becomes of it
    assert pinned == [(2, 4), (2, 2)]
