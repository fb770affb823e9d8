"""The scalar product of each step's gradient with the one before, taken inside the compiled step."""

from collections.abc import Hashable
from typing import Any

import keras

from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.probe import AddVariable, Probe, Step

Tensor = Any


class ConsecutiveProbe(Probe):
    """Fills the column `dot` with G_{t−1} · G_t over all variables, in float32; keeps one copy of the gradient.

    The copy starts as zeros, so the first value is 0 and means nothing. A gradient that is not finite makes its own
    value and the next one non-finite.
    """

    def build(self, add_variable: AddVariable, variables: list[keras.Variable]) -> None:
        """One variable for each gradient, of its type and layout."""
        self._previous = [add_variable(dtype=variable.dtype, like=variable) for variable in variables]

    def key(self) -> Hashable:
        """They are all alike."""
        return (type(self),)

    def columns(self) -> dict[str, int]:
        """One number a step."""
        return {"dot": 1}

    def measure(self, step: Step) -> dict[str, Tensor]:
        """The scalar product, then the copy for the next step."""
        seen = [(g, p) for g, p in zip(step.gradients, self._previous, strict=True) if g is not None]
        total = backend.scalar_product([(gradient, previous.value) for gradient, previous in seen])
        backend.copy_into([previous for _, previous in seen], [gradient for gradient, _ in seen])
        return {"dot": total}
