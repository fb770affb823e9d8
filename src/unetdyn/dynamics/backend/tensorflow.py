"""TensorFlow: a graph, which Grappler rewrites, of variables that are state of their own; maybe on several replicas."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from unetdyn.dynamics.backend.common import (
    TracedSetting,
    count_nonfinite,
    dense_times,
    in_float32,
    wide,
)

Tensor = Any
Gradients = list[Tensor | None]

_SMALL = 1024  # entries up to which tensors are put into one vector


def replica_count() -> int:
    """Replicas of `tf.distribute`; each has a gradient of its own share of the batch."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context is not None else 1


def sum_over_replicas(tensors: list[Tensor]) -> list[Tensor]:
    """All of them in one call."""
    if replica_count() == 1:
        return tensors
    present = [t for t in tensors if t is not None]
    reduced = iter(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, present))
    return [None if t is None else next(reduced) for t in tensors]


def dense(gradient: Tensor) -> Tensor:
    """Indexed slices become one tensor."""
    return tf.convert_to_tensor(gradient)


def own_product(gradient: Tensor) -> Tensor:
    """Reading a gradient in a graph without changing how the graph optimizer rounds the update.

    A batch norm's gradient with respect to its scale is a product, which gradient descent multiplies by the learning
    rate. TensorFlow's graph optimizer (Grappler, MinimizeBroadcasts in arithmetic_optimizer.cc) turns
    (sum · rsqrt) · rate into sum · (rsqrt · rate), which rounds differently, but only where nobody else reads the first
    product. So the tap reads a product of its own, and the first is rounded as without a tap. Such gradients are as
    small as biases; those of kernels come out of convolutions and are handed back as they are, like everything outside
    of a graph.

    Reference:
        https://github.com/tensorflow/tensorflow/blob/v2.21.0/tensorflow/core/grappler/optimizers/arithmetic_optimizer.cc
    """
    if not tf.is_symbolic_tensor(gradient) or gradient.graph is not tf.compat.v1.get_default_graph():
        return gradient
    return _again(gradient)


def _again(product: Tensor) -> Tensor:
    """Factors that are products for nobody else belong to the same regrouping, so they are computed again too."""
    if product.op.type != "Mul":
        return product
    factors = [factor if len(factor.consumers()) > 1 else _again(factor) for factor in product.op.inputs]
    # Two equal nodes would be made one again; nodes with different places to stand are not equal.
    with product.graph.colocate_with(product.op):
        return tf.raw_ops.Mul(x=factors[0], y=factors[1])


def settled(gradients: Sequence[Tensor | None]) -> Gradients:
    """Gradients are in the order of their axes already."""
    return list(gradients)


def snapshot(variables: Sequence[keras.Variable]) -> list[Tensor]:
    """A variable must be read to become a value."""
    return [tf.convert_to_tensor(v.value) for v in variables]


def before_update(variables: Sequence[keras.Variable], values: list[Tensor]) -> list[Tensor]:
    """The values."""
    del variables
    return values


def joined_places(variables: Sequence[keras.Variable]) -> list[int]:
    """Variables stay on the device."""
    del variables
    return []


def squared_norms(tensors: Sequence[Tensor | None]) -> Tensor:
    """The small tensors in one vector."""
    return _sums_of_squares(in_float32(tensors))


def norms_and_nonfinite(tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """The counts where there is anything to count."""
    squares = squared_norms(tensors)
    return squares, count_nonfinite(tensors, squares)


def weight_and_change_norms(
    variables: Sequence[keras.Variable], before: list[Tensor], before_norms: Tensor
) -> tuple[Tensor, Tensor]:
    """The norms of the weights are known."""
    after = snapshot(variables)
    if any(wide(value.dtype) == "float64" for value in after):
        return before_norms, _sums_of_squares(in_float32(_differences(after, before)))
    return before_norms, _sums_of_squares(in_float32(after), in_float32(before))


def _differences(new: Sequence[Tensor], old: Sequence[Tensor]) -> list[Tensor]:
    """Each new tensor minus its old one, taken before any rounding to float32."""
    return [ops.cast(a, wide(a.dtype)) - ops.cast(b, wide(b.dtype)) for a, b in zip(new, old, strict=True)]


def _sums_of_squares(tensors: Sequence[Tensor], minus: Sequence[Tensor] | None = None) -> Tensor:
    """Sum of squares of each tensor, or of its difference from its neighbour in `minus`.

    Most of a network's variables are biases and norms' scales, and starting an operation takes longer than adding up a
    few hundred squares: so the small ones are put into one vector first.

    Args:
        tensors: Float32, of any shape.
        minus: As many, of the same shapes.

    Returns:
        A float32 tensor of shape `(len(tensors),)`.
    """
    sizes = [tensor.shape.num_elements() for tensor in tensors]
    small = [place for place, size in enumerate(sizes) if size is not None and size <= _SMALL]
    large = [place for place in range(len(tensors)) if place not in set(small)]
    sums = []
    if large:
        differences = [tensors[i] if minus is None else tensors[i] - minus[i] for i in large]
        # One kernel and no temporary; doubling is exact, as halving is.
        sums.append(2.0 * tf.stack([tf.nn.l2_loss(difference) for difference in differences]))
    if small:
        flat = _joined(tensors, small) if minus is None else _joined(tensors, small) - _joined(minus, small)
        owners = np.repeat(np.arange(len(small)), [sizes[i] for i in small])
        sums.append(tf.math.unsorted_segment_sum(tf.square(flat), owners, len(small)))
    return tf.gather(tf.concat(sums, 0), np.argsort([*large, *small]))


def _joined(tensors: Sequence[Tensor], places: Sequence[int]) -> Tensor:
    return tf.concat([tf.reshape(tensors[i], [-1]) for i in places], 0)


def product_with_last(last: Sequence[keras.Variable], tensors: Sequence[Tensor]) -> Tensor:
    """One sum and one assignment for each."""
    if not tensors:
        return ops.zeros((), "float32")
    pairs = [(ops.cast(new, "float32"), ops.cast(v.value, "float32")) for v, new in zip(last, tensors, strict=True)]
    total = ops.sum(ops.stack([ops.sum(new * old) for new, old in pairs]))
    for variable, tensor in zip(last, tensors, strict=True):
        variable.assign(ops.cast(tensor, variable.dtype))
    return total


def finite_after_step(model: keras.Model) -> None:
    """Each assignment is looked at within the graph."""
    del model


def apply_unless(
    skip: Tensor | None,
    apply: Callable[[Gradients], Any],
    gradients: Gradients,
    variables: Sequence[keras.Variable],
) -> Any:
    """A branch in a replica may not merge replicas, as `apply` does: so the branch is taken for all of them at once,
    and each is handed its own gradients.
    """
    if skip is None:
        return apply(gradients)
    if tf.distribute.has_strategy():

        def across_replicas(strategy: Any, skips: Any, handed: Any) -> Any:
            first = strategy.experimental_local_results(skips)[0]
            return _unless(first, lambda: strategy.extended.call_for_each_replica(apply, args=(handed,)))

        return tf.distribute.get_replica_context().merge_call(across_replicas, args=(skip, gradients))
    if tf.executing_eagerly():
        return None if skip else apply(gradients)
    update = tf.function(lambda: apply(gradients), autograph=False).get_concrete_function()
    _count_beside_the_data(update.graph, variables, skip)
    return _unless(skip, update)


def _unless(skip: Tensor, do: Callable[[], Any]) -> Any:
    """`do` in a branch. What it returns must come out of the other one too, which is traced second: as zeros."""
    found: list[Any] = []

    def done() -> Any:
        found.append(do())
        return found[0]

    def nothing() -> Any:
        return None if found[0] is None else tf.nest.map_structure(_zeros, found[0])

    return ops.cond(ops.logical_not(skip), done, nothing)


def _zeros(like: Tensor) -> Tensor | None:
    return None if like is None else tf.zeros([size or 0 for size in like.shape], like.dtype)


def _count_beside_the_data(update: tf.Graph, variables: Sequence[keras.Variable], skip: Tensor) -> None:
    """Let Keras' count of steps go wrong as it does without a control.

    Keras counts a step by an operation that needs no data. Where an epoch ends with its iterator, which nobody knew
    the length of, TensorFlow has run that by the time the iterator says so: one count too many an epoch, on which
    schedules and Adam's bias correction depend. In a branch it waits for the data. So the count goes up outside of it,
    at once, and down again with the data.

    Args:
        update: What is to be done in the branch.
        variables: All that it changes.
        skip: A scalar that waits for the data.
    """
    inside = {id(outer): inner for outer, inner in update.captures}
    for variable in variables:
        handle = inside.get(id(getattr(variable.value, "handle", None)))
        if handle is None or not keras.backend.is_int_dtype(variable.dtype):
            continue
        counts = [each for each in handle.consumers() if each.type.startswith("Assign")]
        if counts and not any(map(_waits_for_data, counts)):
            one = tf.ones((), variable.value.dtype)
            variable.value.assign_add(one)
            with tf.control_dependencies([skip]):
                variable.value.assign_sub(one)


def _waits_for_data(operation: tf.Operation) -> bool:
    """Whether anything that goes before it is given from outside and is no variable."""
    seen: set[str] = set()
    ahead = [operation]
    while ahead:
        each = ahead.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        if each.type == "Placeholder" and each.outputs[0].dtype != tf.resource:
            return True
        ahead += [*(tensor.op for tensor in each.inputs), *each.control_inputs]
    return False


def times(gradient: Tensor, factor: Tensor) -> Tensor:
    """Slices by the same factor, or by those of their rows."""
    if not isinstance(gradient, tf.IndexedSlices):
        return dense_times(gradient, factor)
    factor = tf.convert_to_tensor(factor)
    if factor.shape.rank and factor.shape[0] != 1:
        factor = tf.gather(factor, gradient.indices)
    return tf.IndexedSlices(dense_times(gradient.values, factor), gradient.indices, gradient.dense_shape)


def behind(gradients: Tensor) -> AbstractContextManager:
    """In a graph, by an edge that carries nothing."""
    return tf.control_dependencies([gradients])


def to_host(values: Sequence[Tensor]) -> list[np.ndarray]:
    """One after another: Keras gives a copy of each."""
    return [ops.convert_to_numpy(value) for value in values]


def write_row(table: keras.Variable, place: Tensor, row: Tensor) -> None:
    """Only that row is written."""
    table.value.scatter_update(tf.IndexedSlices(row[None], place[None]))


def count_up(variable: keras.Variable) -> None:
    """An assignment."""
    variable.assign_add(1)


def read_rows(table: Tensor, places: np.ndarray) -> np.ndarray:
    """The whole table goes to the host."""
    return ops.convert_to_numpy(table)[places]


def can_read_variables() -> bool:
    """Variables always hold their values."""
    return True


def as_setting(value: Tensor) -> TracedSetting:
    """A number that is known only when the step runs."""
    return TracedSetting(value)


def outside_the_graph() -> AbstractContextManager:
    """In here variables are made eagerly."""
    return tf.init_scope()


def builds_optimizer_beforehand(model: keras.Model) -> bool:
    """Only under `tf.distribute`."""
    return bool(getattr(model, "_distribute_strategy", None))


def optimizer_carries_variables() -> bool:
    """Variables are state of their own."""
    return False


def optimizer_values(arguments: Sequence[Any]) -> Sequence[Any] | None:
    """Variables always hold their values."""
    del arguments
    return None


def give_values_back(model: keras.Model) -> None:
    """Variables always hold their values."""


def between_steps(model: keras.Model, arguments: Sequence[Any], change: Callable[[], None]) -> Sequence[Any]:
    """A train function is called with the data alone."""
    del model
    change()
    return arguments


def draw_without_training(model: keras.Model, arguments: Sequence[Any], logs: Any) -> tuple[Any, Any]:
    """A train function is called with the data's iterator."""
    batches = [next(arguments[0]) for _ in range(model.steps_per_execution)]
    return logs, batches[-1]


def stateless_apply(optimizer: keras.Optimizer, measured: Callable[[], Any]) -> None:
    """Only JAX' trainer calls it."""
    del optimizer, measured


def without_effects(model: keras.Model, look: Callable[..., Any]) -> Callable[..., Any]:
    """A graph of its own, in which assignments end in Keras' scope and not in the variables."""

    def scoped(*arrays: Tensor) -> Any:
        with keras.StatelessScope(initialize_variables=False):
            return look(*arrays)

    return scoped if model.run_eagerly else tf.function(scoped, autograph=False)
