"""What differs from backend to backend: one list of functions, and a file for each backend with all of them.

`backend` is the file of the backend that Keras runs on; only that framework is imported, at the first use. What is the
same everywhere is written on `keras.ops`, outside of this package.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import keras
import numpy as np

Tensor = Any
Gradients = list[Tensor | None]
StepOnValues = tuple[list[Tensor], list[Tensor]]  # of JAX' `stateless_apply`: new weights, new optimizer variables


class Backend(Protocol):
    """The list. First what reads, then what acts, then what the trainers of the backends do each in their own way."""

    def replica_count(self) -> int:
        """Replicas that `apply` runs in; 1 wherever gradients are whole, as under `keras.distribution`."""

    def sum_over_replicas(self, tensors: list[Tensor]) -> list[Tensor]:
        """The sum over replicas of each tensor; None stays None. Keras divides each replica's loss by
        their number, so the sum is the whole batch's.
        """

    def dense(self, gradient: Tensor) -> Tensor:
        """The gradient as one tensor: TensorFlow has an embedding's as slices, one for each time a row was used."""

    def own_product(self, gradient: Tensor) -> Tensor:
        """The same numbers, for the tap to read: a product in a TensorFlow graph is computed a second time.

        Args:
            gradient: A tensor of any shape.

        Returns:
            A tensor of the same shape, type and values.

        Example:
            >>> float(backend.own_product(keras.ops.array(2.0)))
            2.0
        """

    def settled(self, gradients: Sequence[Tensor | None]) -> Gradients:
        """The gradients as arrays of their own in the order of their axes, before anything is computed from them.

        XLA leaves the gradient of a convolution in the order that the convolution wrote it in. Other backends have such
        arrays anyway. The values are the same.
        """

    def snapshot(self, variables: Sequence[keras.Variable]) -> list[Tensor]:
        """The present values of variables, safe from the update that follows.

        PyTorch updates weights in place, so there it is a copy; a TensorFlow variable must be read to become a value.
        """

    def before_update(self, variables: Sequence[keras.Variable], values: list[Tensor]) -> Any:
        """What `weight_and_change_norms` needs of weights as they are before anything updates them.

        Args:
            variables: They keep their values; on JAX they may be assigned them.
            values: What `snapshot(variables)` gave.
        """

    def joined_places(self, variables: Sequence[keras.Variable]) -> list[int]:
        """Which of these are so small that what is kept of them from step to step is best kept in one array.

        Handing an array to a compiled step takes the host longer than copying a small one takes a GPU. None where
        nothing is handed over.

        Returns:
            Their places, in order.
        """

    def squared_norms(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """Sum of squares of each tensor, in float32 whatever the tensors' own type.

        Args:
            tensors: Tensors of any shape; `None` counts as zeros, as a variable that the loss does not reach.

        Returns:
            A float32 tensor of shape `(len(tensors),)`. It overflows to infinity where a norm exceeds 1.8e19.

        Example:
            >>> backend.squared_norms([keras.ops.array([3.0, 4.0]), None]).shape[0]
            2
            >>> float(backend.squared_norms([keras.ops.array([3.0, 4.0]), None])[0])
            25.0
        """

    def norms_and_nonfinite(self, tensors: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
        """Sum of squares of each tensor, as `squared_norms`, and number of its entries that are NaN or infinite.

        Args:
            tensors: Tensors of any shape; `None` counts as zeros.

        Returns:
            Two float32 tensors of shape `(len(tensors),)`; the counts are exact below 2**24.

        Example:
            >>> squares, counts = backend.norms_and_nonfinite([keras.ops.array([1.0, float("nan"), float("inf")])])
            >>> float(counts[0])
            2.0
        """

    def weight_and_change_norms(
        self, variables: Sequence[keras.Variable], before: Any, before_norms: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sums of squares of the weights before the update and of its change, `variable - before`.

        Args:
            variables: As they are now.
            before: What `before_update` gave. On PyTorch it is used up: the difference is taken
                in its place, so that no third copy of the weights exists.
            before_norms: What `squared_norms(before)` gave.

        Returns:
            Two float32 tensors of shape `(len(variables),)`. On JAX the first is computed anew, together with the
            second, of large variables in the kernel of the update; XLA drops `before_norms` where nothing else needs
            it.
        """

    def times(self, gradient: Tensor, factor: Tensor) -> Tensor:
        """A gradient by a factor that broadcasts with it, in the gradient's own form and type.

        Slices stay slices. The product is taken in float32, of float64 in float64; by 1 it is the same to the last bit.

        Example:
            >>> backend.times(keras.ops.array([1.0, 2.0]), 0.5).shape[0]
            2
        """

    def behind(self, gradients: Tensor) -> AbstractContextManager:
        """What is done in here waits for a tensor that the gradients are in.

        TensorFlow starts whatever needs no data beside the iterator that brings it: when that is at its end, a counter
        has counted a step that never was.
        """

    def product_with_last(self, last: Sequence[keras.Variable], tensors: Sequence[Tensor]) -> Tensor:
        """Σ last · tensor over all entries of all tensors, a float32 scalar; then the variables are assigned these.

        Args:
            last: Variables of the tensors' shapes.
            tensors: As many; cast to the variables' types.

        Example:
            >>> last = keras.Variable([1.0, 2.0])
            >>> float(backend.product_with_last([last], [keras.ops.array([3.0, 4.0])]))
            11.0
            >>> [float(value) for value in last.value]
            [3.0, 4.0]
        """

    def finite_after_step(
        self, model: keras.Model
    ) -> Callable[[Sequence[keras.Variable]], AbstractContextManager] | None:
        """What a train step runs in, so that no entry of some variables is overwritten with one that is not finite.

        It looks once, at the step's end. None where each assignment is looked at: a compiler makes one kernel of both.
        """

    def apply_unless(
        self,
        skip: Tensor | None,
        apply: Callable[[Gradients], Any],
        gradients: Gradients,
        variables: Sequence[keras.Variable],
    ) -> Any:
        """Call `apply(gradients)` where the boolean scalar `skip` is false; leave `variables`, all it changes, alone
        where true.

        Returns:
            What `apply` returns; where it was not called, zeros in its place in TensorFlow's graph, else None. On JAX
            it is always called.
        """

    def to_host(self, values: Sequence[Tensor]) -> list[np.ndarray]:
        """Variables, tensors or arrays as arrays of their own, which no later step changes; they may be read-only.

        All copies begin before one is waited for, where a backend can do that. From a GPU, on JAX and PyTorch, they go
        into page-locked memory, where they stay: an array that is kept keeps as much of it, on PyTorch up to the whole
        block of 64 MiB that it is in.

        Example:
            >>> backend.to_host([keras.ops.array([1.0, 2.0])])[0].tolist()
            [1.0, 2.0]
        """

    def write_row(self, table: keras.Variable, place: Tensor, row: Tensor) -> None:
        """Overwrite row number `place`, an integer scalar, of a `(rows, width)` variable with `row`, `(width,)`."""

    def count_up(self, variable: keras.Variable) -> None:
        """Add 1 to an integer variable."""

    def read_rows(self, table: Tensor, places: np.ndarray) -> np.ndarray:
        """The rows with these numbers of the value of a `(rows, width)` variable, as a new array on the host.

        Example:
            >>> backend.read_rows(keras.ops.array([[1.0], [2.0], [3.0]]), np.array([2, 0])).tolist()
            [[3.0], [1.0]]
        """

    def can_read_variables(self) -> bool:
        """Whether variables hold their values now. In a `fit` on JAX they do so within the compiled step only."""

    def as_setting(self, value: Tensor) -> Any:
        """A float32 scalar as an optimizer's update takes a setting of its own, which is a number otherwise."""

    def outside_the_graph(self) -> AbstractContextManager:
        """TensorFlow makes variables eagerly in here, whatever is being traced."""

    def builds_optimizer_beforehand(self, model: keras.Model) -> bool:
        """Whether Keras builds the optimizer before the first step, with all of the model's variables.

        Elsewhere the first step may give it only some of them, from a `train_step` of the user's own.
        """

    def optimizer_carries_variables(self) -> bool:
        """Whether a compiled step can change only those variables that the model or its optimizer has in its lists."""

    def optimizer_values(self, arguments: Sequence[Any]) -> Sequence[Any] | None:
        """From what a train function is called with, the values of `optimizer.variables`; None where they hold them."""

    def give_values_back(self, model: keras.Model) -> None:
        """In the midst of an epoch JAX' values are in the trainer's hands and not in the variables."""

    def between_steps(self, model: keras.Model, arguments: Sequence[Any], change: Callable[[], None]) -> Sequence[Any]:
        """Call `change`, which changes what the compiled step carries, when a train function has been called already.

        Args:
            model: What is trained.
            arguments: What its train function was called with.
            change: Makes the train function anew.

        Returns:
            What the new train function is to be called with.
        """

    def draw_without_training(self, model: keras.Model, arguments: Sequence[Any], logs: Any) -> tuple[Any, Any]:
        """Draw the batches of one call of the train function, and do nothing with them.

        Args:
            model: What is trained.
            arguments: What its train function was called with.
            logs: Of a step.

        Returns:
            What the train function would return, with these logs; and the last batch.
        """

    def stateless_apply(
        self, optimizer: keras.Optimizer, measured: Callable[[], Any]
    ) -> Callable[[list[Tensor], list[Tensor], list[Tensor]], StepOnValues] | None:
        """What must stand in place of `optimizer.stateless_apply` for its steps to be measured; None where nothing.

        Args:
            optimizer: As compiled.
            measured: Gives the `MeasuredStep`, or None after the last tap has been detached.
        """

    def without_effects(self, model: keras.Model, look: Callable[..., Any]) -> Callable[..., Any]:
        """`look`, which calls the model, made such that no variable changes by it: weights, statistics, seeds, metrics.

        It is compiled at its first call, unless the model runs eagerly, and sees the variables' values as they are when
        it is called. Inside of `look`, `variable.value` is what an assignment there has made of it.

        Args:
            model: Whose variables it reads; built.
            look: Takes arrays and gives a structure of tensors.
        """


def _chosen() -> Backend:
    name = keras.backend.backend()
    if name == "tensorflow":
        from unetdyn.dynamics.backend import tensorflow

        return tensorflow
    if name == "jax":
        from unetdyn.dynamics.backend import jax

        return jax
    if name == "torch":
        from unetdyn.dynamics.backend import torch

        return torch
    raise ImportError(
        "`unetdyn.dynamics` measures trainings on TensorFlow, JAX and PyTorch: set KERAS_BACKEND to one of tensorflow, "
        f"jax, torch before Keras is imported. Received: KERAS_BACKEND={name}."
    )


class _ChosenAtFirstUse:
    """Where Keras' backend cannot train, callbacks can still be imported, and a recorded configuration be read."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_chosen(), name)


backend = cast(Backend, _ChosenAtFirstUse())
