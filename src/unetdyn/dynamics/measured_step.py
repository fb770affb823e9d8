"""The measured step: what runs inside the compiled train step around the optimizer's own `apply`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.optimizers import has_loss_scale, inner, replicas
from unetdyn.dynamics.probe import AddVariable, Control, Probe, Step, check_columns, transformed
from unetdyn.dynamics.rows import Columns, Ring

Tensor = Any
Apply = Callable[[list[Tensor | None], list[keras.Variable]], None]


class MeasuredStep:
    """One optimizer's step with its measurements, which go into a ring of rows.

    Args:
        optimizer: The model's optimizer, built; a `LossScaleOptimizer` or any other.
        probes: What adds columns or acts, by the prefix of its columns; built.
        capacity: Rows of the ring.
        count: Number of the next step.
        add_variable: Makes the ring's variables.
    """

    def __init__(
        self,
        optimizer: keras.Optimizer,
        probes: dict[str, Probe],
        capacity: int,
        count: int,
        add_variable: AddVariable,
    ) -> None:
        self.optimizer = optimizer
        self.inner = inner(optimizer)
        self.variables: list[keras.Variable] = list(self.inner._trainable_variables)
        self.probes = probes
        self.controls = {prefix: probe for prefix, probe in probes.items() if isinstance(probe, Control)}
        self.columns = Columns(self._widths())
        self.ring = Ring(capacity, self.columns.width, count, add_variable)

    def _widths(self) -> dict[str, int]:
        n = len(self.variables)
        numbers = ("skipped_before", "learning_rate", "skipped", "applied", "controlled", "applied_grad_norm_sq")
        widths = dict.fromkeys(numbers, 1)
        widths |= {"grad_norm_sq": n, "weight_norm_sq": n, "update_norm_sq": n, "nonfinite": n}
        if self.inner.gradient_accumulation_steps:
            widths["accumulated_grad_norm_sq"] = n
        if replicas(self.optimizer) > 1:
            widths["replica_grad_norm_sq"] = n
        for prefix, probe in self.probes.items():
            widths |= {prefix + name: width for name, width in probe.columns().items()}
        return widths

    def run(self, gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable], apply: Apply) -> None:
        """Measure, let controls act, apply, measure what it did, and write the row."""
        places = [self.inner._get_variable_index(v) for v in variables]
        gradients = backend.settled(gradients)
        local = self._aligned(gradients, places)
        weights = backend.snapshot(self.variables)
        iteration = backend.snapshot([self.inner._iterations])[0]
        seen = self._seen(backend.sum_over_replicas(local), weights)
        values = self._measured(seen, iteration, local)
        acted, outgoing, skip, parts, told = self._controlled(seen, local)
        values |= told
        for prefix, probe in self.probes.items():
            check_columns(probe, [name.removeprefix(prefix) for name in values if name.startswith(prefix)])
        values["controlled"] = _differ(seen.grad_norm_sq, acted.grad_norm_sq)
        values |= self._applied_norms(acted, parts, iteration)
        handed = self._handed(gradients, places, outgoing)
        changes = [*self.variables, *self.optimizer.variables]
        backend.apply_unless(skip, lambda gradients: apply(gradients, list(variables)), handed, changes)
        sums = backend.weight_and_change_norms(self.variables, weights, seen.weight_norm_sq)
        values["weight_norm_sq"], values["update_norm_sq"] = sums
        values["skipped"] = ops.equal(backend.snapshot([self.inner._iterations])[0], iteration)
        values["applied"] = self._applied(values["skipped"], iteration)
        values["applied_grad_norm_sq"] = ops.where(values["applied"], values["applied_grad_norm_sq"], float("nan"))
        self.ring.write(self.columns.pack(values))

    def accepts(self, gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> bool:
        """Whether Keras will take them: one gradient for each variable, and no variable that it does not know."""
        known = self.inner._trainable_variables_indices
        return len(gradients) == len(variables) and all(self.inner._var_key(v) in known for v in variables)

    def _aligned(self, gradients: Sequence[Tensor | None], places: list[int]) -> list[Tensor | None]:
        """Unscaled dense gradients in the order of `self.variables`; None where there is nothing to measure."""
        aligned: list[Tensor | None] = [None] * len(self.variables)
        scale = self._loss_scale()
        for place, gradient in zip(places, gradients, strict=True):
            # float8 training hands over new scales in place of gradients, to be assigned as they are.
            if gradient is None or getattr(self.variables[place], "overwrite_with_gradient", False):
                continue
            whole = backend.own_product(backend.dense(gradient))
            aligned[place] = whole if scale is None else whole / ops.cast(scale, whole.dtype)
        return aligned

    def _loss_scale(self) -> Tensor | None:
        if has_loss_scale(self.optimizer):
            return self.optimizer.dynamic_scale
        return self.inner.loss_scale_factor

    def _seen(self, gradients: list[Tensor | None], weights: list[Tensor]) -> Step:
        norms, nonfinite = backend.norms_and_nonfinite(gradients)
        return Step(
            gradients=gradients,
            weights=weights,
            grad_norm_sq=norms,
            weight_norm_sq=backend.squared_norms(weights),
            nonfinite=nonfinite,
            learning_rate=ops.cast(self.inner.learning_rate, "float32"),
            number=backend.snapshot([self.ring.count])[0],
        )

    def _measured(self, seen: Step, iteration: Tensor, local: list[Tensor | None]) -> dict[str, Tensor]:
        values = {
            "skipped_before": seen.number - ops.cast(iteration, seen.number.dtype),
            "learning_rate": seen.learning_rate,
            "grad_norm_sq": seen.grad_norm_sq,
            "nonfinite": seen.nonfinite,
        }
        if "replica_grad_norm_sq" in self.columns.widths:
            count = backend.replica_count()
            values["replica_grad_norm_sq"] = count * backend.sum_over_replicas([backend.squared_norms(local)])[0]
        for prefix, probe in self.probes.items():
            values |= {prefix + name: value for name, value in probe.measure(seen).items()}
        return values

    def _controlled(
        self, seen: Step, local: list[Tensor | None]
    ) -> tuple[Step, list[Tensor | None] | None, Tensor | None, list[Tensor | None], dict[str, Tensor]]:
        """The step after the controls, what to hand on (None: what came), whether to skip, the replica's part, and the
        controls' columns.
        """
        skip, changed, whole = None, False, seen.gradients
        told: dict[str, Tensor] = {}
        for prefix, control in self.controls.items():
            gradients, veto, columns = transformed(control, seen)
            told |= {prefix + name: value for name, value in columns.items()}
            if gradients is not None:
                seen, changed = replace(seen, gradients=gradients, grad_norm_sq=backend.squared_norms(gradients)), True
            if veto is not None:
                skip = veto if skip is None else ops.logical_or(skip, veto)
        if has_loss_scale(self.optimizer) and skip is not None:
            skip = ops.logical_and(skip, ops.equal(ops.sum(seen.nonfinite), 0))
        if not changed:
            return seen, None, skip, local, told
        parts = _replica_parts(whole, seen.gradients, local)
        scale = self._loss_scale()
        if scale is None:
            return seen, parts, skip, parts, told
        finite = ops.equal(ops.sum(seen.nonfinite), 0)
        outgoing = [
            None if p is None or g is None else ops.cast(ops.where(finite, p, g) * scale, g.dtype)
            for p, g in zip(parts, local, strict=True)
        ]
        return seen, outgoing, skip, parts, told

    def _applied_norms(self, acted: Step, parts: list[Tensor | None], iteration: Tensor) -> dict[str, Tensor]:
        """Norm of what reaches the update rule, by the optimizer's own accumulation and clipping."""
        values, squares = {}, acted.grad_norm_sq
        steps = self.inner.gradient_accumulation_steps
        if steps:
            sums = backend.snapshot(self.inner._accumulated_gradients)
            parts = [None if g is None else (g + s) / steps for g, s in zip(parts, sums, strict=True)]
            squares = backend.squared_norms(backend.sum_over_replicas(parts))
            values["accumulated_grad_norm_sq"] = ops.where((iteration + 1) % steps == 0, squares, float("nan"))
        if self.inner.clipnorm or self.inner.global_clipnorm or self.inner.clipvalue:
            squares = backend.squared_norms(backend.sum_over_replicas(self.inner._clip_gradients(parts)))
        values["applied_grad_norm_sq"] = ops.sum(squares)
        return values

    def _handed(
        self, gradients: Sequence[Tensor | None], places: list[int], outgoing: list[Tensor | None] | None
    ) -> list[Tensor | None]:
        """The very gradients that came where no control changed them: training is then bit-equal."""
        if outgoing is None:
            return list(gradients)
        return [
            came if changed is None or came is None else ops.cast(changed, came.dtype)
            for came, changed in zip(gradients, (outgoing[place] for place in places), strict=True)
        ]

    def _applied(self, skipped: Tensor, iteration: Tensor) -> Tensor:
        """Keras counts every `apply` that was not skipped; under accumulation only every so many update the weights."""
        applied = ops.logical_not(skipped)
        steps = self.inner.gradient_accumulation_steps
        return ops.logical_and(applied, (iteration + 1) % steps == 0) if steps else applied


def _replica_parts(
    before: list[Tensor | None], after: list[Tensor | None], local: list[Tensor | None]
) -> list[Tensor | None]:
    """What each replica hands on: an equal share of the changed gradient, which Keras' sum over replicas restores.

    Where controls changed nothing, it is the replica's own gradient, since Keras clips before it sums.
    """
    count = backend.replica_count()
    if count == 1:
        return after
    same = [ops.all(ops.equal(a, b)) for a, b in zip(after, before, strict=True) if a is not None and b is not None]
    untouched = reduce(ops.logical_and, same, True)
    return [
        None if a is None or g is None else ops.where(untouched, g, a / count)
        for a, g in zip(after, local, strict=True)
    ]


def _differ(before: Tensor, after: Tensor) -> Tensor:
    """Whether squared norms differ by more than another order of summation makes them."""
    if after is before:
        return ops.zeros((), "bool")
    return ops.any(ops.abs(after - before) > 1e-4 * before)
