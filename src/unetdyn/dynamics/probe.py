"""What a monitor or a control may add to the compiled step: more columns, or other gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

Tensor = Any
AddVariable = Callable[..., keras.Variable]


@dataclass(frozen=True)
class Step:
    """One training step as a probe sees it, before the update; lists follow the optimizer's trainable variables.

    Attributes:
        gradients: Unscaled, of the whole batch (summed over replicas), in the type Keras has them in. None where the
            loss does not reach the variable.
        weights: The variables' values before the update.
        grad_norm_sq: `(variables,)` float32, ‖g‖² of `gradients`.
        weight_norm_sq: `(variables,)` float32.
        nonfinite: `(variables,)` float32, entries of the gradients of the loss that are NaN or infinite.
        learning_rate: Scalar.
        number: Integer scalar, the step's number in `Rows.step`.
    """

    gradients: list[Tensor | None]
    weights: list[Tensor]
    grad_norm_sq: Tensor
    weight_norm_sq: Tensor
    nonfinite: Tensor
    learning_rate: Tensor
    number: Tensor


class Probe:
    """A measurement inside the step. Subclass it and pass an instance to `OptimizerTap`.

    Its methods run while the step is compiled: code on `keras.ops`, no Python state that changes from step to step.
    What must be kept between steps goes into variables made in `build`; read them with `.value`, set with `.assign`.
    The machine holds probes for as long as it is attached: a probe should not hold the callback that made it.
    """

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:
        """Make the probe's own state; called once, before the first step.

        Args:
            add_variable: `add_variable(shape=(), dtype="float32", initial=0.0, like=None)` makes a variable that
                every backend carries through the step; `like` names the weight it has the shape and layout of.
            variables: The optimizer's trainable variables, in the order of all lists and columns.
        """

    def columns(self) -> dict[str, int]:
        """Name and width of each column that `measure` fills; asked after `build`."""
        return {}

    def measure(self, step: Step) -> dict[str, Tensor]:
        """The columns' values, each of shape `(width,)` or a scalar; they come out in `Rows.extra`."""
        del step
        return {}


class Control(Probe):
    """A probe that also acts: it changes the gradients before Keras clips and applies them, or forbids the update."""

    def transform(self, step: Step) -> tuple[list[Tensor | None] | None, Tensor | None]:
        """What to apply instead; controls act in the order they were attached, each on what the one before left.

        Args:
            step: The step with the gradients as they are now.

        Returns:
            The new gradients, or None to leave them; and a boolean scalar that is true where the whole update, with the
            optimizer's own state, must be skipped, or None. Under a `LossScaleOptimizer` a step with non-finite
            gradients goes to it untouched: it skips the update itself, and must see why.
        """
        raise TypeError(f"{type(self).__name__} must define `transform(step)`. Received: {step!r}")
