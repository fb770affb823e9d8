"""What `tf.distribute` changes inside the step: each replica has a gradient of its own share of the batch."""

from typing import Any

import keras

Tensor = Any


def replica_count() -> int:
    """Replicas that `apply` runs in; 1 wherever gradients are whole, as under `keras.distribution`."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context is not None else 1


def summed(tensors: list[Tensor]) -> list[Tensor]:
    """The sum over replicas of each tensor; None stays None. Keras divides each replica's loss by
    their number, so the sum is the whole batch's."""
    if replica_count() == 1:
        return tensors
    import tensorflow as tf

    present = [t for t in tensors if t is not None]
    reduced = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if t is None else next(reduced) for t in tensors]
