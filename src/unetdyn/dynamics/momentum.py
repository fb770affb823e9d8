"""The optimizer's momentum, as a value that changes from step to step inside the compiled one."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from unetdyn._checks import is_number
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.hooks import Overrides

Tensor = Any

_UPDATE = "_backend_update_step"


optimizers = keras.optimizers

AVERAGING = (optimizers.Adam, optimizers.Adamax, optimizers.Nadam, optimizers.Lamb, optimizers.Lion)
"""Kinds whose `beta_1` is the share that an average of gradients keeps; with AdamW, which is an Adam.

Not by the attribute: ScheduleFreeAdamW interpolates weights by its own, and Muon has its `momentum` in its graph.
"""

WITH_VELOCITY = (optimizers.SGD, optimizers.RMSprop)
"""Kinds with a `momentum`, and a velocity only where it is above 0."""


def momentum_name(optimizer: keras.Optimizer) -> str | None:
    """The attribute that says how much of the past an optimizer keeps; None where it has none that may change.

    Args:
        optimizer: The one that updates the weights.

    Example:
        >>> [momentum_name(each) for each in (optimizers.AdamW(), optimizers.SGD(0.1, momentum=0.9), optimizers.SGD())]
        ['beta_1', 'momentum', None]
    """
    if isinstance(optimizer, AVERAGING):
        return "beta_1" if is_number(optimizer.beta_1) else None
    if isinstance(optimizer, WITH_VELOCITY):
        return "momentum" if is_number(optimizer.momentum) and optimizer.momentum > 0 else None
    return None


def momentum_is_hooked(optimizer: keras.Optimizer) -> bool:
    """Whether the momentum changes from step to step already."""
    return _UPDATE in vars(optimizer)


def hook_momentum(optimizer: keras.Optimizer, value: Callable[[Tensor], Any], overrides: Overrides) -> None:
    """Let an optimizer update its weights with another momentum at each step.

    Outside of the update the attribute is what it was: a model that is saved meanwhile has the user's own.

    Args:
        optimizer: The one that updates the weights; it has a momentum.
        value: Gives the momentum of a step, counted as a learning-rate schedule's: a number, or a float32 scalar.
        overrides: Where the changed attributes are noted.
    """
    name = momentum_name(optimizer)
    assert name is not None, "it has been checked"
    own, update_step = vars(optimizer)[name], optimizer._backend_update_step

    def with_momentum(*arguments: Any) -> None:
        momentum = value(ops.convert_to_tensor(optimizer._iterations))
        if not isinstance(momentum, float):
            momentum = backend.as_setting(momentum)
        vars(optimizer)[name] = momentum
        try:
            update_step(*arguments)
        finally:
            vars(optimizer)[name] = own

    overrides.set(optimizer, _UPDATE, with_momentum)
