"""What a monitor or a control may add to the compiled step: more columns, or other gradients."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

Tensor = Any
Gradients = list[Tensor | None]
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


Measurement = Callable[[Step], dict[str, Tensor]]


class Probe:
    """A measurement inside the step with state of its own. Subclass it and pass an instance to `OptimizerTap`.

    Where it needs no state, a function from a `Step` to the columns' values by name is enough; see `as_probe`.

    Its methods run while the step is compiled: code on `keras.ops`, no Python state that changes from step to step.
    What must be kept between steps goes into variables made in `build`; read them with `.value`, set with `.assign`.
    A probe is held on the optimizer for as long as its tap is attached: it should not hold the callback that made it.
    """

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:
        """Make the probe's own state; called once, before the first step.

        Args:
            add_variable: `add_variable(shape=(), dtype="float32", initial=0.0, like=None)` makes a variable that
                every backend carries through the step; `like` names the weight it has the shape and layout of.
            variables: The optimizer's trainable variables, in the order of all lists and columns.
        """

    def key(self) -> Hashable:
        """What `measure` and `transform` depend on: of probes with equal keys the second runs what the first traced.

        By default the probe itself, so that another one is traced anew. Where all it depends on is a few arguments,
        give these, with the class: `build` is then called with the variables of an earlier one, set to their initial
        values, and must make the same ones in the same order.
        """
        return self

    def columns(self) -> dict[str, int]:
        """Name and width of each column that `measure`, or a control's `transform`, fills; asked after `build`."""
        return {}

    def measure(self, step: Step) -> dict[str, Tensor]:
        """The columns' values, each of shape `(width,)` or a scalar; they come out in `Rows.extra`."""
        del step
        return {}


class Factors(list[Tensor | None]):
    """What a control multiplies the gradients by: a factor for each variable, None where it leaves one alone.

    A factor is a scalar, or has the gradient's number of axes, each as long as the gradient's or 1. Gradients keep
    their form, also the slices that TensorFlow has of an embedding's; 16-bit ones are multiplied in float32.

    Example:
        >>> Factors([0.5, None])
        [0.5, None]
    """


class Control(Probe):
    """A probe that also acts: it changes the gradients before Keras clips and applies them, or forbids the update."""

    def transform(self, step: Step) -> tuple[Gradients | Factors | None, Tensor | None, dict[str, Tensor]]:
        """What to apply instead; controls act in the order they were attached, each on what the one before left.

        Args:
            step: The step with the gradients as they are now.

        Returns:
            Always three:

            - the new gradients, or `Factors` for them, or None to leave them. New ones are dense: on TensorFlow an
              embedding's then updates all of its rows, which is another training than with the slices that came;
            - a boolean scalar, true where the whole update, with the optimizer's own state, must be skipped; or None;
            - the values of those `columns` that `measure` does not fill, by name; `{}` where there are none.

            Under a `LossScaleOptimizer` a step with non-finite gradients goes to it untouched: it skips the update
            itself, and must see why.
        """
        raise TypeError(f"{type(self).__name__} must define `transform(step)`. Received: {step!r}")


def as_probe(measurement: "Probe | Measurement | None") -> Probe | None:
    """A probe is returned unchanged. A function becomes one; called once with zeros, it gives its columns' widths.

    Example:
        >>> def largest(step):
        ...     entries = [ops.max(ops.abs(g)) for g in step.gradients if g is not None]
        ...     return {"largest": ops.max(ops.stack(entries))}
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> probe = as_probe(largest)
        >>> probe.build(None, model.trainable_variables)
        >>> probe.columns()
        {'largest': 1}
    """
    return measurement if measurement is None or isinstance(measurement, Probe) else _Stateless(measurement)


def transformed(control: Control, step: Step) -> tuple[Gradients | Factors | None, Tensor | None, dict[str, Tensor]]:
    """What the control's `transform` returns.

    Args:
        control: What acts.
        step: The step as it is now.

    Raises:
        TypeError: If it is not the three that `Control.transform` says.
        ValueError: If there are more or fewer gradients, or factors, than variables.

    Example:
        >>> class Cut(Control):
        ...     def transform(self, step):
        ...         return [g / 2 for g in step], None
        >>> transformed(Cut(), [1.0])
        Traceback (most recent call last):
        TypeError: `Cut.transform` must return (gradients or None, skip or None, columns or {}). Received: (list, None).
    """
    told = control.transform(step)
    if isinstance(told, tuple | list) and len(told) == 3 and isinstance(told[2], Mapping):
        gradients, skip, columns = told
        _check_number(control, gradients, step)
        return gradients, skip, dict(columns)
    kinds = ["None" if each is None else type(each).__name__ for each in (told if isinstance(told, tuple) else [told])]
    received = f"({', '.join(kinds)})" if isinstance(told, tuple) else kinds[0]
    raise TypeError(
        f"`{type(control).__name__}.transform` must return (gradients or None, skip or None, columns or {{}}). "
        f"Received: {received}."
    )


def _check_number(control: Control, gradients: Gradients | None, step: Step) -> None:
    if gradients is not None and len(gradients) != len(step.gradients):
        raise ValueError(
            f"`{type(control).__name__}.transform` must return a gradient, or a factor, for each of the "
            f"{len(step.gradients)} variables, None where there is none. Received: {len(gradients)}."
        )


def check_columns(probe: Probe, given: Iterable[str]) -> None:
    """Refuse a probe that fills other columns than it declared.

    Args:
        probe: What measured the step or acted on it.
        given: The names of the values that it returned.

    Raises:
        ValueError: If a declared column has no value, or a value no column.

    Example:
        >>> check_columns(Control(), ["norm"])
        Traceback (most recent call last):
        ValueError: `Control` must return a value for each of its `columns`, and no other. Not declared: 'norm'.
    """
    given, declared = list(given), list(probe.columns())
    missing = ", ".join(repr(name) for name in declared if name not in given)
    unknown = ", ".join(repr(name) for name in given if name not in declared)
    wrong = [f"{what}: {names}." for what, names in (("Not returned", missing), ("Not declared", unknown)) if names]
    if wrong:
        name = probe.name if isinstance(probe, _Stateless) else type(probe).__name__
        raise ValueError(f"`{name}` must return a value for each of its `columns`, and no other. {' '.join(wrong)}")


class _Stateless(Probe):
    """The probe of a function."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self.name = getattr(measurement, "__name__", type(measurement).__name__)

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:  # noqa: ARG002
        zeros = [ops.zeros(variable.shape, variable.dtype) for variable in variables]
        sums = ops.zeros(len(variables), "float32")
        nothing = Step(zeros, zeros, sums, sums, sums, ops.zeros((), "float32"), ops.zeros((), "int32"))
        values = {name: ops.convert_to_tensor(value) for name, value in self._measurement(nothing).items()}
        self._widths = {name: math.prod(value.shape) for name, value in values.items()}

    def key(self) -> Hashable:
        return self._measurement if isinstance(self._measurement, Hashable) else self

    def columns(self) -> dict[str, int]:
        return self._widths

    def measure(self, step: Step) -> dict[str, Tensor]:
        return self._measurement(step)
