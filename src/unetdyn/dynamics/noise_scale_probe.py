"""The scalar product of each step's gradient with the one before, taken inside the compiled step."""

from typing import Any

import keras
from keras import ops

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

    def columns(self) -> dict[str, int]:
        """One number a step."""
        return {"dot": 1}

    def measure(self, step: Step) -> dict[str, Tensor]:
        """The scalar product, then the copy for the next step."""
        seen = [(g, p) for g, p in zip(step.gradients, self._previous, strict=True) if g is not None]
        total = sum((_dot(gradient, previous.value) for gradient, previous in seen), ops.zeros((), "float32"))
        for gradient, previous in seen:
            previous.assign(ops.cast(gradient, previous.dtype))
        return {"dot": total}


def _dot(left: Tensor, right: Tensor) -> Tensor:
    left, right = ops.cast(left, "float32"), ops.cast(right, "float32")
    if keras.backend.backend() == "torch":
        import torch

        # `sum(left * right)` would allocate a copy of each.
        return torch.dot(left.detach().reshape(-1), right.detach().reshape(-1))
    return ops.sum(left * right)
