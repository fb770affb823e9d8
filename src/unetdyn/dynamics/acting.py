"""What controls make of the gradients of a step, and in which form these are handed on."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from keras import ops

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.probe import Control, Factors, Step, transformed

Tensor = Any
Gradients = list[Tensor | None]


@dataclass
class Acted:
    """A step after the controls; lists follow the optimizer's trainable variables.

    Attributes:
        seen: The step, with the gradients as they are now: dense, unscaled, of the whole batch.
        local: This replica's part of them, dense and unscaled.
        handed: The same as the optimizer gets it: scaled if it came scaled, as slices if it came as slices; and the
            very tensors that came where no control changed anything, so that training is bit-equal.
        skip: A boolean scalar, whether the update must not be; None where no control can forbid it.
        columns: What the controls tell, by prefixed name.
    """

    seen: Step
    local: Gradients
    handed: Gradients
    skip: Tensor | None = None
    columns: dict[str, Tensor] = field(default_factory=dict)

    def act(
        self, controls: Mapping[str, Control], scale: Tensor | None, behind: Callable[[str], AbstractContextManager]
    ) -> None:
        """Let the controls act in their order, each on what the one before left.

        Args:
            controls: By the prefix of their columns.
            scale: What the loss was multiplied by, or None.
            behind: By prefix, in what a control acts.
        """
        whole, came = self.seen.gradients, self.local
        finite = None if scale is None else ops.equal(ops.sum(self.seen.nonfinite), 0)
        for prefix, control in controls.items():
            with behind(prefix):
                gradients, veto, columns = transformed(control, self.seen)
            self.columns |= {prefix + name: value for name, value in columns.items()}
            if veto is not None:
                self.skip = veto if self.skip is None else ops.logical_or(self.skip, veto)
            if isinstance(gradients, Factors):
                self._scale(gradients, finite)
            elif gradients is not None:
                self._replace(gradients, whole, came, scale, finite)

    def _scale(self, factors: Factors, finite: Tensor | None) -> None:
        """Each gradient by its factor, in whatever form it is. What a loss scale must see unchanged stays."""
        if finite is not None:
            factors = Factors(None if f is None else ops.where(finite, f, ops.ones_like(f)) for f in factors)
        products: dict[tuple[int, int], Tensor] = {}  # often all three of a place are one tensor

        def product(place: int, gradient: Tensor | None, factor: Tensor | None) -> Tensor | None:
            if gradient is None or factor is None:
                return gradient
            key = place, id(gradient)  # two weights that are added have one gradient, and a factor each
            if key not in products:
                products[key] = backend.times(gradient, factor)
            return products[key]

        def scaled(gradients: Gradients) -> Gradients:
            return [product(place, *pair) for place, pair in enumerate(zip(gradients, factors, strict=True))]

        seen, self.local, self.handed = map(scaled, (self.seen.gradients, self.local, self.handed))
        self.seen = replace(self.seen, gradients=seen, grad_norm_sq=backend.squared_norms(seen))

    def _replace(
        self, gradients: Gradients, whole: Gradients, came: Gradients, scale: Tensor | None, finite: Tensor | None
    ) -> None:
        """Other gradients, dense; one that is returned as it was is handed on as it was."""
        same = [new is old for new, old in zip(gradients, self.seen.gradients, strict=True)]
        self.seen = replace(self.seen, gradients=gradients, grad_norm_sq=backend.squared_norms(gradients))
        parts = _replica_parts(whole, gradients, came)
        self.local = [old if kept else new for kept, old, new in zip(same, self.local, parts, strict=True)]
        handed = self.local if scale is None else _scaled_again(self.local, came, scale, finite)
        self.handed = [
            old if kept or old is None or new is None else ops.cast(new, old.dtype)
            for kept, old, new in zip(same, self.handed, handed, strict=True)
        ]


def _scaled_again(parts: Gradients, came: Gradients, scale: Tensor, finite: Tensor | None) -> Gradients:
    """By the loss scale; where the gradient is not finite the optimizer gets what came, and sees it."""
    return [
        None if p is None or g is None else ops.cast(ops.where(finite, p, g) * ops.cast(scale, g.dtype), g.dtype)
        for p, g in zip(parts, came, strict=True)
    ]


def _replica_parts(before: Gradients, after: Gradients, local: Gradients) -> Gradients:
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


def in_the_order_of(places: Sequence[int], gradients: Sequence[Tensor | None], count: int) -> Gradients:
    """Gradients by the variables' places, None for those that came without.

    >>> in_the_order_of([2, 0], ["c", "a"], 3)
    ['a', None, 'c']
    """
    ordered: Gradients = [None] * count
    for place, gradient in zip(places, gradients, strict=True):
        ordered[place] = gradient
    return ordered
