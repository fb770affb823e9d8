"""Keeping NaN and infinity out of the state that a forward pass writes: the moving statistics of norms."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

# There is no public way to ask.
from keras.src.backend.common.stateless_scope import in_stateless_scope

from unetdyn.dynamics.hooks import Overrides

Tensor = Any

_MARK = "_unetdyn_keeps_finite"


def keep_finite(variables: Sequence[keras.Variable]) -> None:
    """From now on, let no entry of these variables be overwritten with a value that is not finite.

    A batch with a NaN in it makes all moving means and variances NaN in its forward pass, before any gradient is
    there, and a model that can train on cannot be evaluated any more. Entry by entry, what is finite is assigned as
    ever. It must be called before the train step is compiled. Integer variables are left alone.

    Args:
        variables: A model's `non_trainable_variables`.

    Example:
        >>> mean = keras.Variable([1.0, 2.0], trainable=False)
        >>> keep_finite([mean])
        >>> with keras.StatelessScope() as step:  # as in JAX' compiled step; on other backends it needs none
        ...     _ = mean.assign([float("nan"), 3.0])
        >>> [float(value) for value in step.get_current_value(mean)]
        [1.0, 3.0]
        >>> release([mean])
    """
    for variable in variables:
        if "assign" not in vars(variable) and keras.backend.is_float_dtype(variable.dtype):
            vars(variable)["assign"] = _keeping(variable, variable.assign)


def keep_finite_in(model: keras.Model, overrides: Overrides) -> None:
    """`keep_finite` for all of a model's state, also of layers that are built only while the first step is traced.

    TensorFlow alone builds them then; elsewhere Keras has built the model before any callback hears of the training.

    Args:
        model: Any Keras model.
        overrides: Where it notes the layers whose `build` it has shadowed; restore them, and `release`, to undo it.
    """
    keep_finite(model.non_trainable_variables)
    for layer in model._flatten_layers():
        if not layer.built:
            overrides.set(layer, "build", _keeping_finite_once_built(layer, layer.build))


def _keeping_finite_once_built(layer: keras.Layer, build: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(build)  # Keras looks at the signature, and whether it is a layer's own method
    def build_and_keep(*args: Any, **kwargs: Any) -> None:
        build(*args, **kwargs)
        keep_finite(layer.non_trainable_variables)

    return build_and_keep


def release(variables: Sequence[keras.Variable]) -> None:
    """Undo `keep_finite`, whoever called it and however often."""
    for variable in variables:
        if hasattr(vars(variable).get("assign"), _MARK):
            del vars(variable)["assign"]


def _keeping(variable: keras.Variable, assign: Callable[[Any], Tensor]) -> Callable[[Any], Tensor]:
    def assign_finite(value: Any) -> Tensor:
        # Outside the step JAX assigns to variables whose value it has taken away for the time of a fit.
        if keras.backend.backend() == "jax" and not in_stateless_scope():
            return assign(value)
        value = ops.convert_to_tensor(value, variable.dtype)
        return assign(ops.where(ops.isfinite(value), value, ops.convert_to_tensor(variable.value)))

    setattr(assign_finite, _MARK, True)
    return assign_finite
