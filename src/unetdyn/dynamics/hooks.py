"""What is put on a live optimizer and model, and taken off them without a trace."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.measured_step import MeasuredStep
from unetdyn.dynamics.optimizers import inner

Tensor = Any

_MARK = "_unetdyn_keeps_finite"


class Overrides:
    """Instance attributes set on other people's objects, and the way back."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, bool, Any]] = []

    def set(self, target: Any, name: str, value: Any) -> None:
        """Shadow `target.name`; `vars()` and not `setattr`, which would make Keras and TensorFlow track the value."""
        own = vars(target)
        self._undo.append((target, name, value, name in own, own.get(name)))
        own[name] = value

    def restore(self) -> None:
        """Put everything back; what somebody has set over ours since stays as they set it."""
        for target, name, value, was_set, old in reversed(self._undo):
            if vars(target).get(name) is not value:
                continue
            if was_set:
                vars(target)[name] = old
            else:
                del vars(target)[name]
        self._undo = []


def hook_apply(optimizer: keras.Optimizer, measured: Callable[[], MeasuredStep | None], overrides: Overrides) -> None:
    """Make the optimizer's step go through the measured one.

    Args:
        optimizer: The model's optimizer.
        measured: Gives the measured step, once the optimizer has been built; None after every tap has been detached.
        overrides: Where the changed attributes are noted.
    """
    original = optimizer.apply

    def apply(grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        if len(grads) == 0:
            return
        variables = optimizer._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not optimizer.built:
            optimizer.build(variables)
        step = measured()
        # None after the last tap has gone, where somebody had wrapped this method meanwhile and still calls it.
        if step is not None and step.accepts(grads, variables):
            step.run(grads, variables, original)
        else:
            original(grads, None if trainable_variables is None else variables)

    overrides.set(optimizer, "apply", apply)
    stateless_apply = backend.stateless_apply(optimizer, measured)
    if stateless_apply is not None:
        overrides.set(optimizer, "stateless_apply", stateless_apply)


def hook_build(optimizer: keras.Optimizer, built: Callable[[], None], overrides: Overrides) -> None:
    """Call `built` as soon as Keras has built the optimizer: with the model, or at the first step."""
    original = optimizer.build

    def build(*args: Any) -> None:
        original(*args)
        with backend.outside_the_graph():
            built()

    overrides.set(optimizer, "build", build)


def trace_anew(model: keras.Model) -> None:
    """A train function that no trace is kept of.

    jax.jit finds a cached trace by the function's equality, and bound methods of one model are all equal: after a
    change of what is measured, with the same shapes, it would run the old one. So this one traces a step of its own.
    """
    own_step = Overrides()
    original_step = model.train_step
    own_step.set(model, "train_step", lambda *args: original_step(*args))
    model.make_train_function(force=True)
    own_step.restore()


class CarriedVariables:
    """Variables that JAX must carry through the train step with the optimizer's own: tracked by it, but not saved.

    They come last in `optimizer.variables`. Elsewhere variables are state of their own, and the optimizer never hears
    of them.
    """

    def __init__(self, optimizer: keras.Optimizer, overrides: Overrides) -> None:
        self._holder = inner(optimizer)
        self._tracked = backend.optimizer_carries_variables()
        self.variables: list[keras.Variable] = []
        if self._tracked:
            for saved in {id(o): o for o in (optimizer, self._holder)}.values():
                overrides.set(saved, "save_own_variables", self._without_ours(saved.save_own_variables))
                overrides.set(saved, "load_own_variables", self._without_ours(saved.load_own_variables))

    def _without_ours(self, method: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(store: Any) -> None:
            ours = list(self.variables)
            self.remove(ours)
            try:
                method(store)
            finally:
                for variable in ours:
                    self.add(variable)

        return call

    def add(self, variable: keras.Variable) -> None:
        """Carry `variable` through the step from now on."""
        self.variables.append(variable)
        if self._tracked:
            self._holder._track_variable(variable)

    def remove(self, variables: Sequence[keras.Variable]) -> None:
        """Carry them no more."""
        for variable in list(variables):
            self.variables = [v for v in self.variables if v is not variable]
            if self._tracked:
                self._holder._untrack_variable(variable)


def keep_finite(variables: Sequence[keras.Variable]) -> None:
    """From now on, let no entry of these variables be overwritten with a value that is not finite.

    A batch with a NaN makes all moving means and variances NaN in its forward pass, before there is any gradient. The
    model may train on, but it can no longer be evaluated. Finite entries are assigned as ever. It must be called before
    the train step is compiled. Integer variables are left alone.

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
        if not backend.can_read_variables():
            return assign(value)
        value = ops.convert_to_tensor(value, variable.dtype)
        return assign(ops.where(ops.isfinite(value), value, ops.convert_to_tensor(variable.value)))

    setattr(assign_finite, _MARK, True)
    return assign_finite
