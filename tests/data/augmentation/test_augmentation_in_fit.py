"""`Augmentation` within `TileDataset`, and on the way to Keras' trainers."""

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from augmented_batches import EVERYTHING, batch
from unetdyn.data import Augmentation, TileDataset


def test_keras_takes_tensors_to_the_training_as_they_are():
    """No copy by way of NumPy: on JAX and PyTorch the very object, on TensorFlow a tensor that `tf.data` was given."""
    images, masks = batch()
    dataset = TileDataset(images, masks, batch_size=2, augmentation=Augmentation(contrast=0.1))
    given = dataset[0]

    class Constant(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return given

    adapter = PyDatasetAdapter(Constant())
    backend = keras.backend.backend()
    iterators = {"jax": "get_jax_iterator", "torch": "get_torch_dataloader", "tensorflow": "get_tf_dataset"}
    (taken,) = getattr(adapter, iterators[backend])()
    for part, expected in zip(taken, given, strict=True):
        assert keras.ops.is_tensor(part)
        assert part is expected or backend == "tensorflow"
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(part), keras.ops.convert_to_numpy(expected))


def test_batches_of_a_resumed_data_set_are_those_of_an_uninterrupted_one():
    images, masks = batch(count=6)

    def made():
        return TileDataset(images, masks, batch_size=4, seed=2, augmentation=Augmentation(**EVERYTHING, seed=2))

    def epoch_of(dataset):
        batches = [dataset[index] for index in range(len(dataset))]
        return [keras.ops.convert_to_numpy(part) for one in batches for part in one]

    whole = made()
    epochs = []
    for epoch in range(3):
        whole.epoch = epoch
        epochs.append(epoch_of(whole))
    resumed = made()
    resumed.set_state({"epoch": 2})
    for one, other in zip(epochs[2], epoch_of(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(epochs[1][0], epochs[2][0])
