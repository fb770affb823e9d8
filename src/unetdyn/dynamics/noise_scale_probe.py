"""The scalar product of each step's gradient with the one before, taken inside the compiled step."""

from collections.abc import Hashable
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.backend.small_tensors import WIDTH, packed, rows_of
from unetdyn.dynamics.probe import AddVariable, Probe, Step

Tensor = Any


class ConsecutiveProbe(Probe):
    """Fills the column `dot` with G_{t−1} · G_t over all variables, in float32; keeps one copy of the gradient.

    The copy starts as zeros, so the first value is 0 and means nothing. A gradient that is not finite makes its own
    value and the next one non-finite.
    """

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:
        """One variable for each gradient, of its type and layout; or one for all small ones, in float32."""
        self._joined = backend.joined_places(variables)
        self._apart = [place for place in range(len(variables)) if place not in set(self._joined)]
        rows = sum(rows_of(variables[place].shape) for place in self._joined)
        self._previous = [add_variable((rows, WIDTH))] if self._joined else []
        self._previous += [add_variable(dtype=variables[p].dtype, like=variables[p]) for p in self._apart]

    def key(self) -> Hashable:
        """They are all alike."""
        return (type(self),)

    def columns(self) -> dict[str, int]:
        """One number a step."""
        return {"dot": 1}

    def measure(self, step: Step) -> dict[str, Tensor]:
        """The scalar product, then the copy for the next step."""
        seen = [(p, g) for p, g in zip(self._previous, self._kept(step), strict=True) if g is not None]
        return {
            "dot": backend.product_with_last([previous for previous, _ in seen], [gradient for _, gradient in seen])
        }

    def _kept(self, step: Step) -> list[Tensor | None]:
        """The gradients, in the order and the form of the variables that keep them."""
        apart = [step.gradients[place] for place in self._apart]
        if not self._joined:
            return apart
        pairs = [(step.gradients[place], step.weights[place]) for place in self._joined]
        return [packed([ops.zeros_like(w) if g is None else g for g, w in pairs]), *apart]
