"""Whether the order of a training's data comes back when it is resumed, by what Keras draws it from."""

from typing import Any

import keras
from keras.src.utils.rng_utils import get_random_seed

from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import resume as messages

_OTHERS = ("GeneratorDataAdapter", "TFDatasetAdapter", "GrainDatasetAdapter")


def order_not_restored(adapter: Any) -> Finding | None:
    """What is to be said of data whose order nobody can put back; None of all other.

    Arrays are shuffled by NumPy's or PyTorch's global numbers, which come back. TensorFlow shuffles them by itself, in
    each epoch alike where `keras.utils.set_random_seed` was called, and else as nobody knows. A `PyDataset` that `fit`
    shuffles is shuffled by Python's.

    Args:
        adapter: Keras' adapter of the data, from `fit_call.data_adapter`; None where it is not known.
    """
    kind = type(adapter).__name__
    arrays = kind == "ArrayDataAdapter" and adapter._shuffle
    if kind in _OTHERS or (arrays and keras.backend.backend() == "tensorflow" and get_random_seed() is None):
        return messages.order_not_restored(kind.removesuffix("Adapter"))
    return None
