"""Validation and saved models of the averaged weights, where an optimizer averages them."""

from typing import Any

import keras
import numpy as np

from unetdyn.dynamics.optimizers import inner


class AveragedWeights(keras.callbacks.Callback):
    """Has validation, and all callbacks at an epoch's end, see the averages; training goes on from the weights it had.

    The first of the callbacks; without an average, such as without `use_ema`, it does nothing. Beside
    `keras.callbacks.SwapEMAWeights`, it leaves the averages where they are, so that `fit`, which puts them into the
    model at its end, finds them also after early stopping.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Begin with the weights that there are."""
        self._trained = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Go on from the weights of the last step."""
        self._hide()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Validate the averages."""
        self._show()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Put the weights back, since an epoch may be validated before its end."""
        self._hide()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let those that come after save the averages."""
        self._show()

    def _show(self) -> None:
        optimizer = inner(self.model.optimizer)
        if self._trained is not None or not optimizer.use_ema or not optimizer.built:
            return
        variables = optimizer._trainable_variables
        self._trained = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
        for variable, average in zip(variables, optimizer._model_variables_moving_average, strict=True):
            variable.assign(keras.ops.convert_to_numpy(average).copy())

    def _hide(self) -> None:
        if self._trained is None:
            return
        for variable, value in zip(inner(self.model.optimizer)._trainable_variables, self._trained, strict=True):
            variable.assign(value)
        self._trained = None
