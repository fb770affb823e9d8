"""Putting the instrument on a live optimizer and model, and taking it off without a trace."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from unetdyn.dynamics.instrument import Instrument

Tensor = Any


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


def hook_apply(optimizer: keras.Optimizer, instrument: Callable[[], Instrument | None], overrides: Overrides) -> None:
    """Make the optimizer's step go through the instrument.

    Args:
        optimizer: The model's optimizer.
        instrument: Gives the instrument, once the optimizer has been built; None after everybody has left.
        overrides: Where the changed attributes are noted.
    """
    original = optimizer.apply

    def apply(grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        if len(grads) == 0:
            return
        variables = optimizer._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not optimizer.built:
            optimizer.build(variables)
        measuring = instrument()
        # None after the last tap has gone, where somebody had wrapped this method meanwhile and still calls it.
        if measuring is not None and measuring.accepts(grads, variables):
            measuring.step(grads, variables, original)
        else:
            original(grads, None if trainable_variables is None else variables)

    overrides.set(optimizer, "apply", apply)
    if keras.backend.backend() == "jax" and hasattr(optimizer, "inner_optimizer"):
        _hook_stateless_apply(optimizer, instrument, overrides)


def hook_build(optimizer: keras.Optimizer, built: Callable[[], None], overrides: Overrides) -> None:
    """Call `built` as soon as Keras has built the optimizer: with the model, or at the first step."""
    original = optimizer.build

    def build(*args: Any) -> None:
        original(*args)
        with _outside_the_graph():
            built()

    overrides.set(optimizer, "build", build)


def _outside_the_graph() -> contextlib.AbstractContextManager:
    """TensorFlow makes variables eagerly in here, whatever is being traced."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.init_scope()


def _hook_stateless_apply(
    optimizer: keras.Optimizer, instrument: Callable[[], Instrument | None], overrides: Overrides
) -> None:
    """On JAX a `LossScaleOptimizer` never calls its own `apply`: its `stateless_apply` branches on values instead."""
    original = optimizer.stateless_apply

    def stateless_apply(
        optimizer_variables: list[Tensor], grads: list[Tensor], trainable_variables: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        weights, slots = optimizer._trainable_variables, optimizer.variables
        measuring = instrument()
        if measuring is None:
            return original(optimizer_variables, grads, trainable_variables)

        def apply(grads: list[Tensor], _variables: Any) -> None:
            new = original([v.value for v in slots], grads, [v.value for v in weights])
            for variable, value in zip([*weights, *slots], [*new[0], *new[1]], strict=True):
                variable.assign(value)

        mapping = [*zip(weights, trainable_variables, strict=True), *zip(slots, optimizer_variables, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            measuring.step(grads, weights, apply)
        return [scope.get_current_value(v) for v in weights], [scope.get_current_value(v) for v in slots]

    overrides.set(optimizer, "stateless_apply", stateless_apply)


class Threaded:
    """Variables that JAX must pass through the train step with the optimizer's own: tracked by it, but not saved.

    They come last in `optimizer.variables`. Elsewhere variables are state of their own, and the optimizer never hears
    of them.
    """

    def __init__(self, optimizer: keras.Optimizer, overrides: Overrides) -> None:
        self._holder = getattr(optimizer, "inner_optimizer", optimizer)
        self.variables: list[keras.Variable] = []
        if keras.backend.backend() == "jax":
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
        if keras.backend.backend() == "jax":
            self._holder._track_variable(variable)

    def remove(self, variables: Sequence[keras.Variable]) -> None:
        """Carry them no more."""
        for variable in list(variables):
            self.variables = [v for v in self.variables if v is not variable]
            if keras.backend.backend() == "jax":
                self._holder._untrack_variable(variable)
