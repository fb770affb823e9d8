"""Running an update only where it is wanted, inside the compiled step."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
Gradients = list[Tensor | None]


def apply_unless(
    skip: Tensor | None,
    apply: Callable[[Gradients], None],
    gradients: Gradients,
    variables: Sequence[keras.Variable],
) -> None:
    """Call `apply(gradients)` where the boolean scalar `skip` is false; leave `variables`, all it changes, alone where
    true.
    """
    if skip is None:
        apply(gradients)
        return
    backend = keras.backend.backend()
    if backend == "jax":
        _apply_and_choose(skip, lambda: apply(gradients), variables)
    elif backend == "tensorflow":
        _tensorflow_cond(skip, apply, gradients)
    elif not skip:
        apply(gradients)


def _apply_and_choose(skip: Tensor, apply: Callable[[], None], variables: Sequence[keras.Variable]) -> None:
    """JAX has no assignment inside a branch; XLA fuses the choice into the update."""
    before = [v.value for v in variables]
    apply()
    for variable, old in zip(variables, before, strict=True):
        variable.assign(ops.where(skip, old, variable.value))


def _tensorflow_cond(skip: Tensor, apply: Callable[[Gradients], None], gradients: Gradients) -> None:
    """A branch in a replica may not merge replicas, as `apply` does: so the branch is taken for all of them at once,
    and each is handed its own gradients.
    """
    import tensorflow as tf

    def nothing() -> None:
        return None

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        ops.cond(skip, nothing, lambda: apply(gradients))
        return

    def across_replicas(strategy: Any, skips: Any, handed: Any) -> None:
        first = strategy.experimental_local_results(skips)[0]
        ops.cond(first, nothing, lambda: strategy.extended.call_for_each_replica(apply, args=(handed,)))

    context.merge_call(across_replicas, args=(skip, gradients))
