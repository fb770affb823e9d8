"""Whether the order of a training's data comes back when it is resumed, by what Keras draws it from."""

from typing import Any

import keras
from keras.src.utils.rng_utils import get_random_seed

from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import resume as messages

_OTHERS = ("GeneratorDataAdapter", "TFDatasetAdapter", "GrainDatasetAdapter")


def order_not_restored(adapter: Any, steps_per_epoch: int | None = None) -> Finding | None:
    """What is to be said of data whose order nobody can put back; None of all other.

    Arrays are shuffled by NumPy's or PyTorch's global numbers, which come back. TensorFlow shuffles them by itself, in
    each epoch alike where `keras.utils.set_random_seed` was called, and else as nobody knows. A `PyDataset` that `fit`
    shuffles is shuffled by Python's; one with hooks of its own changes by itself, unless it has `get_state`. With
    `steps_per_epoch` epochs are parts of one stream, which begins anew, but where each of them is the whole.

    Args:
        adapter: Keras' adapter of the data, from `fit_call.data_adapter`; None where it is not known.
        steps_per_epoch: As of `fit`.
    """
    kind = type(adapter).__name__
    arrays = kind == "ArrayDataAdapter" and adapter._shuffle
    unseeded = arrays and keras.backend.backend() == "tensorflow" and get_random_seed() is None
    if kind in _OTHERS or unseeded or _changes_by_itself(getattr(adapter, "py_dataset", None)):
        return messages.order_not_restored(kind.removesuffix("Adapter"))
    if adapter is not None and steps_per_epoch not in (None, adapter.num_batches):
        return messages.order_not_restored(f"{kind.removesuffix('Adapter')} with steps_per_epoch={steps_per_epoch}")
    return None


def _changes_by_itself(dataset: Any) -> bool:
    hooks = ("on_epoch_begin", "on_epoch_end")
    own = any(getattr(type(dataset), hook, None) is not getattr(keras.utils.PyDataset, hook) for hook in hooks)
    return dataset is not None and own and not hasattr(dataset, "get_state")
