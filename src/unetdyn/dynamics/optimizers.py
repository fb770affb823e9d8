"""What is asked of an optimizer: whether it scales the loss, which one is inside, and which replicas it serves."""

from typing import Any

import keras


def has_loss_scale(optimizer: keras.Optimizer) -> bool:
    """Whether it is a `LossScaleOptimizer`: it has a `dynamic_scale`, and skips steps that are not finite."""
    return hasattr(optimizer, "inner_optimizer")


def inner(optimizer: keras.Optimizer | None) -> keras.Optimizer:
    """The optimizer that updates the weights: the one in a `LossScaleOptimizer`, else itself.

    >>> scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    >>> has_loss_scale(scaled), type(inner(scaled)).__name__, type(inner(inner(scaled))).__name__
    (True, 'SGD', 'SGD')
    """
    return getattr(optimizer, "inner_optimizer", optimizer)


def strategy(optimizer: keras.Optimizer | None) -> Any | None:
    """The `tf.distribute` strategy that it was made under; None without one."""
    return getattr(optimizer, "_distribution_strategy", None)


def replicas(optimizer: keras.Optimizer | None) -> int:
    """How many replicas share each batch; known outside any replica."""
    found = strategy(optimizer)
    return found.num_replicas_in_sync if found is not None else 1
