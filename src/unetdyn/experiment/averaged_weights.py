"""Validation and saved models of the averaged weights, where an optimizer averages them."""

from collections.abc import Mapping
from typing import Any

import keras

from unetdyn.callbacks.averages import Weights, averaged_variables, put_back, show_averages


class AveragedWeights(keras.callbacks.Callback):
    """Has validation, and all callbacks at an epoch's end, see the averages; training goes on from the weights it had.

    The first of the callbacks; without an average, such as without `use_ema`, it does nothing. Beside
    `keras.callbacks.SwapEMAWeights`, it leaves the averages where they are, so that `fit`, which puts them into the
    model at its end, finds them also after early stopping.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: Weights | None = None

    def get_state(self) -> dict[str, Any]:
        """The weights that training goes on from, while the averages are in the model."""
        return {"trained": None if self._trained is None else [value for _, value in self._trained]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there, after `on_train_begin`.

        Args:
            state: From `get_state`, with an equal model.
        """
        trained = state["trained"]
        self._trained = None if trained is None else list(zip(averaged_variables(self.model), trained, strict=True))

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
        if self._trained is None:
            self._trained = show_averages(self.model) or None

    def _hide(self) -> None:
        put_back(self._trained or [])
        self._trained = None
