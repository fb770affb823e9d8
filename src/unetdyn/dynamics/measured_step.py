"""The measured step: what runs inside the compiled train step around the optimizer's own `apply`."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.acting import Acted, in_the_order_of
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.optimizers import counts_steps, has_loss_scale, inner, replicas
from unetdyn.dynamics.probe import AddVariable, Control, Probe, Step, check_columns
from unetdyn.dynamics.rows import Columns, Ring

Tensor = Any
Apply = Callable[[list[Tensor | None], list[keras.Variable]], Any]


class MeasuredStep:
    """One optimizer's step with its measurements, which go into a ring of rows.

    Args:
        optimizer: The model's optimizer, built; a `LossScaleOptimizer` or any other.
        variables: What it trains, in the order of all columns.
        probes: What adds columns or acts, by the prefix of its columns; built.
        capacity: Rows of the ring.
        count: Number of the next step.
        add_variable: Makes the ring's variables.
        with_state: The prefixes of those that made variables of their own.
    """

    def __init__(
        self,
        optimizer: keras.Optimizer,
        variables: list[keras.Variable],
        probes: dict[str, Probe],
        capacity: int,
        count: int,
        add_variable: AddVariable,
        with_state: Collection[str] = (),
    ) -> None:
        self._with_state = with_state
        self.optimizer = optimizer
        self.inner = inner(optimizer)
        self.variables = variables
        self.probes = probes
        self._places = {self.inner._var_key(variable): place for place, variable in enumerate(variables)}
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

    def run(self, gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable], apply: Apply) -> Any:
        """Measure, let controls act, apply, measure what it did, and write the row; returns what `apply` does."""
        places = [self._places[self.inner._var_key(v)] for v in variables]
        gradients = backend.settled(gradients)
        came = in_the_order_of(places, gradients, len(self.variables))
        local = self._unscaled(came)
        weights = backend.snapshot(self.variables)
        before = backend.before_update(self.variables, weights)
        iteration = backend.snapshot([self.inner._iterations])[0]
        seen = self._seen(backend.sum_over_replicas(local), weights)
        values = self._measured(seen, iteration, local)
        acted = Acted(seen, local, came)
        controls = {prefix: probe for prefix, probe in self.probes.items() if isinstance(probe, Control)}
        acted.act(controls, self._loss_scale(), lambda prefix: self._behind(seen, prefix))
        values |= acted.columns
        for prefix, probe in self.probes.items():
            check_columns(probe, [name.removeprefix(prefix) for name in values if name.startswith(prefix)])
        values["controlled"] = _differ(seen.grad_norm_sq, acted.seen.grad_norm_sq)
        values |= self._applied_norms(acted, iteration)
        skip = acted.skip
        if has_loss_scale(self.optimizer) and skip is not None:
            skip = ops.logical_and(skip, ops.equal(ops.sum(seen.nonfinite), 0))
        handed = [acted.handed[place] for place in places]
        changes = [*self.variables, *self.optimizer.variables]
        result = backend.apply_unless(skip, lambda gradients: apply(gradients, list(variables)), handed, changes)
        sums = backend.weight_and_change_norms(self.variables, before, seen.weight_norm_sq)
        values["weight_norm_sq"], values["update_norm_sq"] = sums
        values["skipped"] = self._skipped(skip, iteration, seen)
        values["applied"] = self._applied(values["skipped"], iteration)
        values["applied_grad_norm_sq"] = _where(values["applied"], values["applied_grad_norm_sq"])
        with backend.behind(seen.grad_norm_sq):
            self.ring.write(self.columns.pack(values))
        return result

    def _behind(self, seen: Step, prefix: str) -> AbstractContextManager:
        """What a probe with state of its own does waits for the gradients, also where it needs none of them."""
        return backend.behind(seen.grad_norm_sq) if prefix in self._with_state else nullcontext()

    def accepts(self, gradients: Sequence[Tensor | None], variables: Sequence[keras.Variable]) -> bool:
        """Whether Keras will take them: one gradient for each variable, and no variable that it does not know."""
        return len(gradients) == len(variables) and all(self.inner._var_key(v) in self._places for v in variables)

    def _unscaled(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        """Unscaled dense gradients; None where there is nothing to measure."""
        scale = self._loss_scale()
        found: list[Tensor | None] = []
        for gradient, variable in zip(gradients, self.variables, strict=True):
            # float8 training hands over new scales in place of gradients, to be assigned as they are.
            if gradient is None or getattr(variable, "overwrite_with_gradient", False):
                found.append(None)
                continue
            whole = backend.own_product(backend.dense(gradient))
            found.append(whole if scale is None else whole / ops.cast(scale, whole.dtype))
        return found

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
        number = seen.number
        values = {
            "skipped_before": number - ops.cast(iteration, number.dtype) if counts_steps(self.inner) else 0,
            "learning_rate": seen.learning_rate,
            "grad_norm_sq": seen.grad_norm_sq,
            "nonfinite": seen.nonfinite,
        }
        if "replica_grad_norm_sq" in self.columns.widths:
            count = backend.replica_count()
            values["replica_grad_norm_sq"] = count * backend.sum_over_replicas([backend.squared_norms(local)])[0]
        for prefix, probe in self.probes.items():
            with self._behind(seen, prefix):
                values |= {prefix + name: value for name, value in probe.measure(seen).items()}
        return values

    def _applied_norms(self, acted: Acted, iteration: Tensor) -> dict[str, Tensor]:
        """Norm of what reaches the update rule, by the optimizer's own accumulation and clipping."""
        values, squares, parts = {}, acted.seen.grad_norm_sq, acted.local
        steps = self.inner.gradient_accumulation_steps
        if steps:
            sums = backend.snapshot(self.inner._accumulated_gradients)
            parts = [None if g is None else (g + s) / steps for g, s in zip(parts, sums, strict=True)]
            squares = backend.squared_norms(backend.sum_over_replicas(parts))
            values["accumulated_grad_norm_sq"] = _where((iteration + 1) % steps == 0, squares)
        if self.inner.clipnorm or self.inner.global_clipnorm or self.inner.clipvalue:
            squares = backend.squared_norms(backend.sum_over_replicas(self.inner._clip_gradients(parts)))
        values["applied_grad_norm_sq"] = ops.sum(squares)
        return values

    def _skipped(self, skip: Tensor | None, iteration: Tensor, seen: Step) -> Tensor:
        """By what withheld it. A loss scale doesn't tell, and counts no step that it skips; others may count none."""
        if has_loss_scale(self.optimizer) and not counts_steps(self.inner):
            return ops.sum(seen.nonfinite) > 0
        if has_loss_scale(self.optimizer):
            return ops.equal(backend.snapshot([self.inner._iterations])[0], iteration)
        return ops.zeros((), "bool") if skip is None else skip

    def _applied(self, skipped: Tensor, iteration: Tensor) -> Tensor:
        """Keras counts every `apply` that was not skipped; under accumulation only every so many update the weights."""
        applied = ops.logical_not(skipped)
        steps = self.inner.gradient_accumulation_steps
        return ops.logical_and(applied, (iteration + 1) % steps == 0) if steps else applied


def _where(known: Tensor, values: Tensor) -> Tensor:
    """NaN elsewhere: as a product, since PyTorch's host would wait for a constant to arrive on the device."""
    return ops.where(known, values, values * float("nan"))


def _differ(before: Tensor, after: Tensor) -> Tensor:
    """Whether squared norms differ by more than another order of summation makes them."""
    if after is before:
        return ops.zeros((), "bool")
    return ops.any(ops.abs(after - before) > 1e-4 * before)
