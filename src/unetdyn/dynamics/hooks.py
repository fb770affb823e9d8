"""What is put on a live optimizer and model, and taken off them without a trace."""

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.measured_step import MeasuredStep
from unetdyn.dynamics.optimizers import inner, takes_gradients_elsewhere

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
    """Make the optimizer's step go through the measured one. What else it is given and returns passes through.

    Args:
        optimizer: The model's optimizer.
        measured: Gives the measured step, once the optimizer has been built; None after every tap has been detached.
        overrides: Where the changed attributes are noted.
    """
    hooked = _Hooked(optimizer, measured)
    overrides.set(optimizer, "apply", hooked.apply)
    if takes_gradients_elsewhere(optimizer):
        overrides.set(optimizer, "apply_gradients", hooked.apply_gradients)
    stateless_apply = backend.stateless_apply(optimizer, measured)
    if stateless_apply is not None:
        overrides.set(optimizer, "stateless_apply", stateless_apply)


class _Hooked:
    """What stands in place of an optimizer's methods, whichever of them a training calls: a step is measured once."""

    def __init__(self, optimizer: keras.Optimizer, measured: Callable[[], MeasuredStep | None]) -> None:
        self._optimizer = optimizer
        self._measured = measured
        self._apply, self._apply_gradients = optimizer.apply, optimizer.apply_gradients
        self._inside = threading.local()  # replicas are traced in threads, in turns

    def apply(
        self,
        grads: Sequence[Tensor],
        trainable_variables: Sequence[keras.Variable] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if len(grads) == 0:
            return None
        given = trainable_variables is not None
        variables = self._optimizer._trainable_variables if trainable_variables is None else list(trainable_variables)

        def original(grads: Sequence[Tensor], variables: list[keras.Variable]) -> Any:
            return self._apply(grads, variables if given or args else None, *args, **kwargs)

        return self._step(grads, variables, original, given)

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Tensor, keras.Variable]], *args: Any, **kwargs: Any
    ) -> Any:
        grads, variables = ([pair[place] for pair in pairs] for pairs in [list(grads_and_vars)] for place in (0, 1))

        def original(grads: Sequence[Tensor], variables: list[keras.Variable]) -> Any:
            return self._apply_gradients(list(zip(grads, variables, strict=True)), *args, **kwargs)

        return self._step(grads, variables, original, True)

    def _step(
        self,
        grads: Sequence[Tensor],
        variables: list[keras.Variable],
        original: Callable[[Sequence[Tensor], list[keras.Variable]], Any],
        given: bool,
    ) -> Any:
        if getattr(self._inside, "a_step", False):
            return original(grads, variables)
        if given and not self._optimizer.built:
            self._optimizer.build(variables)
        step = self._measured()
        # None after the last tap has gone, where somebody had wrapped this method meanwhile and still calls it.
        if step is None or not step.accepts(grads, variables):
            return original(grads, variables)

        def once(grads: Sequence[Tensor], variables: list[keras.Variable]) -> Any:
            self._inside.a_step = True
            try:
                return original(grads, variables)
            finally:
                self._inside.a_step = False

        return step.run(grads, variables, once)


def hook_build(optimizer: keras.Optimizer, built: Callable[[], None], overrides: Overrides) -> None:
    """Call `built` as soon as Keras has built the optimizer: with the model, or at the first step."""
    original = optimizer.build

    def build(*args: Any) -> None:
        original(*args)
        with backend.outside_the_graph():
            built()

    overrides.set(optimizer, "build", build)


class CarriedVariables:
    """Variables that JAX must carry through the train step with the optimizer's own: tracked by it, but not saved.

    They come last in `optimizer.variables`. Elsewhere variables are state of their own, and the optimizer never hears
    of them.
    """

    def __init__(self, optimizer: keras.Optimizer, overrides: Overrides) -> None:
        self._tracked = backend.optimizer_carries_variables()
        self._holder = _holder(optimizer) if self._tracked else inner(optimizer)
        self.variables: list[keras.Variable] = []
        if self._tracked:
            for saved in {id(o): o for o in (optimizer, self._holder)}.values():
                overrides.set(saved, "save_own_variables", self._without_ours(saved.save_own_variables))
                overrides.set(saved, "load_own_variables", self._without_ours(saved.load_own_variables))

    def _without_ours(self, method: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(store: Any) -> None:
            ours = self.variables
            self.carry([])
            try:
                method(store)
            finally:
                self.carry(ours)

        return call

    def carry(self, variables: Sequence[keras.Variable]) -> None:
        """Carry these from now on, in this order, and no others."""
        if self._tracked:
            for variable in self.variables:
                self._holder._untrack_variable(variable)
            for variable in variables:
                self._holder._track_variable(variable)
        self.variables = list(variables)


def _holder(optimizer: keras.Optimizer) -> keras.Optimizer:
    """Whose variables a compiled step carries: the optimizer's own, or those of one in it which it passes off as its.

    Raises:
        ValueError: If there is none.
    """
    probe = keras.Variable(0.0, trainable=False)
    for holder in (inner(optimizer), getattr(optimizer, "inner_optimizer", None)):
        if isinstance(holder, keras.Optimizer):
            holder._track_variable(probe)
            try:
                if any(each is probe for each in optimizer.variables):
                    return holder
            finally:
                holder._untrack_variable(probe)
    raise ValueError(
        f"`{type(optimizer).__name__}.variables` must have what is in its `_variables`, as Keras' own optimizers have: "
        "else nothing that is measured comes out of a compiled step on JAX. Received: a property that leaves them out."
    )


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
        overrides: Where it notes what it has shadowed; restore it, and `release`, to undo it.
    """
    keep_finite(model.non_trainable_variables)
    whole_step = backend.finite_after_step(model)
    if whole_step is not None and not hasattr(vars(model).get("train_step"), _MARK):
        overrides.set(model, "train_step", _checked_once(model, model.train_step, whole_step))
    for layer in model._flatten_layers():
        if not layer.built:
            overrides.set(layer, "build", _keeping_finite_once_built(layer, layer.build))


def _keeping_finite_once_built(layer: keras.Layer, build: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(build)  # Keras looks at the signature, and whether it is a layer's own method
    def build_and_keep(*args: Any, **kwargs: Any) -> None:
        build(*args, **kwargs)
        keep_finite(layer.non_trainable_variables)

    return build_and_keep


def _checked_once(
    model: keras.Model, train_step: Callable[..., Any], whole_step: Callable[[Sequence[keras.Variable]], Any]
) -> Callable[..., Any]:
    """The train step, after which all that is kept finite is looked at together, and not at each assignment in it."""
    assigns = [(variable, vars(variable).get("assign")) for variable in model.non_trainable_variables]
    kept = [(variable, assign) for variable, assign in assigns if hasattr(assign, _MARK)]

    @functools.wraps(train_step)
    def checked(*args: Any, **kwargs: Any) -> Any:
        now = [(variable, assign) for variable, assign in kept if vars(variable).get("assign") is assign]
        inside = Overrides()
        with whole_step([variable for variable, _ in now]):
            for variable, assign in now:
                inside.set(variable, "assign", getattr(assign, _MARK))
            try:
                return train_step(*args, **kwargs)
            finally:
                inside.restore()

    setattr(checked, _MARK, train_step)
    return checked


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

    setattr(assign_finite, _MARK, assign)
    return assign_finite
