"""JAX: a pure function of all state, which XLA compiles as a whole."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import jax
import keras
import numpy as np
from keras import ops

# There is no public way to ask.
from keras.src.backend.common.stateless_scope import in_stateless_scope

from unetdyn.dynamics.backend.common import TracedSetting, dense_times, in_float32, wide
from unetdyn.dynamics.backend.pinned_jax import can_be_pinned, pinned_copies
from unetdyn.dynamics.backend.small_tensors import together
from unetdyn.dynamics.backend.xla_sums import PARTS, Joined, joined, joint_sums, weights_are_whole
from unetdyn.dynamics.optimizers import has_loss_scale

Tensor = Any
Gradients = list[Tensor | None]


def replica_count() -> int:
    """One: gradients are whole, also under `keras.distribution`."""
    return 1


def sum_over_replicas(tensors: list[Tensor]) -> list[Tensor]:
    """There is one replica."""
    return tensors


def dense(gradient: Tensor) -> Tensor:
    """Gradients are dense already."""
    return gradient


def own_product(gradient: Tensor) -> Tensor:
    """XLA sees the whole step, and may round otherwise in any case."""
    return gradient


def settled(gradients: Sequence[Tensor | None]) -> Gradients:
    """The gradients as arrays of their own in the order of their axes, before anything is computed from them.

    XLA leaves the gradient of a convolution in the order that the convolution wrote it in, and reorders it inside the
    kernels that read it. An update that reorders can neither write in place nor take sums; on an H100 it takes twice as
    long as reordering first. The values are the same. Where weights are laid out over several devices they stay as they
    are; under `DataParallel` the barrier stands behind the sum of a gradient over the devices, and XLA for GPUs makes
    most of these sums, the last ones joined, before any update also without it.

    One barrier for all, with the last layers' gradients first, also decides in which order XLA for GPUs makes them: it
    takes its kernels in the order in which it comes upon them, going back from the first output, the first weight. It
    then meets the gradients as backpropagation has them ready. Otherwise it comes straight to the first layer's, runs
    backpropagation down to there, and makes all others afterwards, with every layer's activations still in memory.
    """
    result = list(gradients)
    if not weights_are_whole():
        return result
    # Small vectors, as biases' gradients, stay out: made inside the update they cost no kernel. But the first decides.
    chosen = [
        (place, gradient)
        for place, gradient in enumerate(gradients)
        if gradient is not None and (place == 0 or gradient.ndim > 1 or gradient.size > PARTS)
    ][::-1]
    arrays = jax.lax.optimization_barrier([gradient.reshape(-1) for _, gradient in chosen])
    for (place, gradient), array in zip(chosen, arrays, strict=True):
        result[place] = array.reshape(gradient.shape)
    return result


def snapshot(variables: Sequence[keras.Variable]) -> list[Tensor]:
    """The values themselves: arrays do not change."""
    return [v.value for v in variables]


def before_update(variables: Sequence[keras.Variable], values: list[Tensor]) -> Joined:
    """No weight is updated before the small ones have been packed.

    XLA overwrites a weight in its place. Where it sees no order between that and another reader of the weight, it
    copies it first, each small weight with a kernel of its own.
    """
    before = joined(_wide(values))
    if not before.small:
        return before
    table, after = jax.lax.optimization_barrier((before.table, [values[place] for place in before.small]))
    for place, value in zip(before.small, after, strict=True):
        variables[place].assign(value)
    return replace(before, table=table)


def joined_places(variables: Sequence[keras.Variable]) -> list[int]:
    """The smallest. Where weights are laid out over several devices each stays as it is."""
    if not weights_are_whole():
        return []
    return together([variable.shape for variable in variables])


def squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """All sums in few kernels."""
    return joint_sums(lambda t: [ops.square(t)], joined(in_float32(tensors)))[0]


def norms_and_nonfinite(tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Both sums of a tensor in one pass."""
    both = joined(in_float32(tensors))
    squares, counts = joint_sums(lambda t: [ops.square(t), ops.logical_not(ops.isfinite(t))], both)
    return squares, counts


def weight_and_change_norms(
    variables: Sequence[keras.Variable], before: Joined, before_norms: Tensor
) -> tuple[Tensor, Tensor]:
    """Both sums together, those of large variables in the kernel of the update."""
    del before_norms
    after = joined(_wide([_as_stored(value) for value in snapshot(variables)]))
    weights, changes = joint_sums(lambda b, a: [ops.square(b), ops.square(a - b)], before, after)
    return weights, changes


def _wide(values: Sequence[Tensor]) -> list[Tensor]:
    """A change of float64 weights is taken before any rounding to float32, which would swallow a small one."""
    return [ops.cast(value, wide(value.dtype)) for value in values]


def _as_stored(value: Tensor) -> Tensor:
    """Rounded as it is in memory: within a step XLA may keep a half-precision weight in float32, and its update too."""
    info = jax.numpy.finfo(value.dtype)
    return jax.lax.reduce_precision(value, info.nexp, info.nmant) if info.bits < 32 else value


def times(gradient: Tensor, factor: Tensor) -> Tensor:
    """Gradients are dense already."""
    return dense_times(gradient, factor)


def product_with_last(last: Sequence[keras.Variable], tensors: Sequence[Tensor]) -> Tensor:
    """All sums in few kernels, and a barrier: where XLA saw no order it would copy the last ones before it overwrites
    them.
    """
    if not tensors:
        return ops.zeros((), "float32")
    pairs = joined(in_float32(tensors)), joined(in_float32(snapshot(last)))
    total = ops.sum(joint_sums(lambda new, old: [new * old], *pairs))
    total, tensors = jax.lax.optimization_barrier((total, list(tensors)))
    for variable, tensor in zip(last, tensors, strict=True):
        variable.assign(ops.cast(tensor, variable.dtype))
    return total


def finite_after_step(model: keras.Model) -> None:
    """XLA fuses the look at a value with its assignment."""
    del model


def apply_unless(
    skip: Tensor | None,
    apply: Callable[[Gradients], Any],
    gradients: Gradients,
    variables: Sequence[keras.Variable],
) -> Any:
    """JAX has no assignment inside a branch; XLA fuses the choice into the update."""
    if skip is None:
        return apply(gradients)
    before = [v.value for v in variables]
    result = apply(gradients)
    for variable, old in zip(variables, before, strict=True):
        variable.assign(ops.where(skip, old, variable.value))
    return result


def behind(gradients: Tensor) -> AbstractContextManager:
    """A step is called with its data."""
    del gradients
    return nullcontext()


def to_host(values: Sequence[Tensor]) -> list[np.ndarray]:
    """By way of page-locked memory where that can be had. Else an array of the device keeps its copy on the host as
    long as it is there, so that another would be a second.
    """
    tensors = [value.value if isinstance(value, keras.Variable) else value for value in values]
    pinnable = {place: each for place, each in enumerate(tensors) if _on_device(each) and can_be_pinned(each)}
    _begin([each for place, each in enumerate(tensors) if place not in pinnable])
    found = pinned_copies(pinnable)
    _begin([each for place, each in pinnable.items() if place not in found])
    return [found[place] if place in found else _host_copy(each) for place, each in enumerate(tensors)]


def _begin(tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if isinstance(tensor, jax.Array):
            tensor.copy_to_host_async()


def _host_copy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor) if _on_device(tensor) else keras.ops.convert_to_numpy(tensor)


def _on_device(tensor: Tensor) -> bool:
    """Whether it is an array in the memory of devices; what is in the host's is there for NumPy without a copy."""
    if not isinstance(tensor, jax.Array) or str(tensor.sharding.memory_kind).endswith("host"):
        return False
    return all(device.platform != "cpu" for device in tensor.devices())


def write_row(table: keras.Variable, place: Tensor, row: Tensor) -> None:
    """XLA writes it in place."""
    table.assign(ops.slice_update(table.value, (place, 0), row[None]))


def count_up(variable: keras.Variable) -> None:
    """An assignment."""
    variable.assign_add(1)


def read_rows(table: Tensor, places: np.ndarray) -> np.ndarray:
    """The whole table goes to the host: a slice would be compiled anew for each number of rows."""
    return to_host([table])[0][places]


def can_read_variables() -> bool:
    """Only within the step: for the time of a `fit` JAX takes the values out of the variables."""
    return in_stateless_scope()


def as_setting(value: Tensor) -> TracedSetting:
    """A number that is known only when the step runs."""
    return TracedSetting(value)


def outside_the_graph() -> AbstractContextManager:
    """There is no graph: variables are made at once."""
    return nullcontext()


def builds_optimizer_beforehand(model: keras.Model) -> bool:
    """Keras always builds it beforehand."""
    del model
    return True


def optimizer_carries_variables() -> bool:
    """The train step is handed what is on these lists, and hands it back."""
    return True


def optimizer_values(arguments: Sequence[Any]) -> Sequence[Any] | None:
    """A train function is called with `(trainable, other, optimizer, metrics variables)` and the data."""
    return arguments[0][2]


def give_values_back(model: keras.Model) -> None:
    """The trainer puts its state into the variables."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


def between_steps(model: keras.Model, arguments: Sequence[Any], change: Callable[[], None]) -> Sequence[Any]:
    """The state goes back into the variables, which may then be other ones, and is taken from them as `fit` does it."""
    kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    model._jax_state = dict(zip(kinds, arguments[0], strict=True))
    model._jax_state_synced = False
    model.jax_state_sync()
    change()
    state = model._get_jax_state(**dict.fromkeys(kinds, True))
    model._jax_state = dict(zip(kinds, state, strict=True))
    model._jax_state_synced = False
    return (state, *arguments[1:])


def draw_without_training(model: keras.Model, arguments: Sequence[Any], logs: Any) -> tuple[Any, Any]:
    """A train function is called with the state and the data's iterator, and returns the state too."""
    state, iterator = arguments
    batches = [next(iterator) for _ in range(model.steps_per_execution)]
    return (logs, state), batches[-1]


def stateless_apply(
    optimizer: keras.Optimizer, measured: Callable[[], Any]
) -> Callable[[list[Tensor], list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor]]] | None:
    """A `LossScaleOptimizer` never calls its own `apply`: its `stateless_apply` branches on values instead."""
    if not has_loss_scale(optimizer):
        return None
    original = optimizer.stateless_apply

    def stateless_apply(
        optimizer_variables: list[Tensor], grads: list[Tensor], trainable_variables: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        weights, slots = optimizer._trainable_variables, optimizer.variables
        step = measured()
        if step is None:
            return original(optimizer_variables, grads, trainable_variables)

        def apply(grads: list[Tensor], _variables: Any) -> None:
            new = original([v.value for v in slots], grads, [v.value for v in weights])
            for variable, value in zip([*weights, *slots], [*new[0], *new[1]], strict=True):
                variable.assign(value)

        mapping = [*zip(weights, trainable_variables, strict=True), *zip(slots, optimizer_variables, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            step.run(grads, weights, apply)
        return [scope.get_current_value(v) for v in weights], [scope.get_current_value(v) for v in slots]

    return stateless_apply


def without_effects(model: keras.Model, look: Callable[..., Any]) -> Callable[..., Any]:
    """A function of all values, of which the new ones are dropped."""

    def scoped(values: list[Tensor], arrays: Sequence[Tensor]) -> Any:
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(mapping, initialize_variables=False):
            return look(*arrays)

    compiled = scoped if model.run_eagerly else jax.jit(scoped)
    return lambda *arrays: compiled([variable.value for variable in model.variables], arrays)
