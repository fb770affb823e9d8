"""What is asked of an optimizer: whether it scales the loss, which one is inside, and which replicas it serves."""

import contextlib
from typing import Any

import keras


def has_loss_scale(optimizer: keras.Optimizer | None) -> bool:
    """Whether it is a `LossScaleOptimizer`: it has a `dynamic_scale`, and skips steps that are not finite.

    Other people's wrappers have an `inner_optimizer` too, and none of this: they are taken as they are.
    """
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def inner(optimizer: keras.Optimizer | None) -> keras.Optimizer:
    """The optimizer that updates the weights: the one in a `LossScaleOptimizer`, else itself.

    >>> scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    >>> has_loss_scale(scaled), type(inner(scaled)).__name__, type(inner(inner(scaled))).__name__
    (True, 'SGD', 'SGD')
    """
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer


def trained_variables(optimizer: keras.Optimizer, model: keras.Model) -> list[keras.Variable]:
    """What a built optimizer updates, in its order; the model's where it hands all on to others and keeps no list."""
    return list(inner(optimizer)._trainable_variables) or list(model.trainable_variables)


def counts_steps(optimizer: keras.Optimizer) -> bool:
    """Whether its `iterations` surely go up with each step: one with an `apply` of its own may leave that to others."""
    return type(optimizer).apply is keras.Optimizer.apply


def takes_gradients_elsewhere(optimizer: keras.Optimizer) -> bool:
    """Whether it has an `apply_gradients` of its own, which may never come to `apply`: it hands on to others."""
    return type(optimizer).apply_gradients is not keras.Optimizer.apply_gradients


def strategy(optimizer: keras.Optimizer | None) -> Any | None:
    """The `tf.distribute` strategy that it was made under; None without one."""
    return getattr(optimizer, "_distribution_strategy", None)


def replicas(optimizer: keras.Optimizer | None) -> int:
    """How many replicas share each batch; known outside any replica."""
    found = strategy(optimizer)
    return found.num_replicas_in_sync if found is not None else 1


def build_optimizer(model: keras.Model) -> None:
    """Make the optimizer's slots now, with the values that the first step would give them, where the model is built.

    TensorFlow and PyTorch make them in the first step: a state from before it would lack them, and one that is brought
    back would find none.
    """
    optimizer = model.optimizer
    if model.built and not optimizer.built:
        shared = strategy(optimizer)
        with shared.scope() if shared is not None else contextlib.nullcontext():
            optimizer.build(model.trainable_variables)
