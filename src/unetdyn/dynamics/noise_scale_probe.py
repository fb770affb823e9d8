"""The scalar product of each step's gradient with the one before, taken inside the compiled step."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from unetdyn.dynamics.probe import AddVariable, Probe, Step
from unetdyn.dynamics.sums import joint_sums

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
        total = _dot([(gradient, previous.value) for gradient, previous in seen])
        _remember([previous for _, previous in seen], [gradient for gradient, _ in seen])
        return {"dot": total}


def _remember(variables: Sequence[keras.Variable], gradients: Sequence[Tensor]) -> None:
    if keras.backend.backend() == "torch":
        import torch

        # One call for all; an `assign` for each costs the host more than the copying.
        if variables:
            torch._foreach_copy_([v.value.detach() for v in variables], [g.detach() for g in gradients])
        return
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(ops.cast(gradient, variable.dtype))


def _dot(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Σ left · right over all entries of all pairs."""
    wide = [(ops.cast(left, "float32"), ops.cast(right, "float32")) for left, right in pairs]
    if keras.backend.backend() == "jax" and wide:
        return ops.sum(joint_sums([[left * right] for left, right in wide]))
    return ops.sum(ops.stack([_one_dot(left, right) for left, right in wide])) if wide else ops.zeros((), "float32")


def _one_dot(left: Tensor, right: Tensor) -> Tensor:
    if keras.backend.backend() == "torch":
        import torch

        # `sum(left * right)` would allocate a copy of each.
        return torch.dot(left.detach().reshape(-1), right.detach().reshape(-1))
    return ops.sum(left * right)
