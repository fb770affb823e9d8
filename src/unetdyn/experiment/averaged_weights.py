"""Validation and saved models of the averaged weights, where an optimizer averages them."""

from typing import Any

import keras

from unetdyn.callbacks.averages import Weights, put_back, show_averages


class AveragedWeights(keras.callbacks.Callback):
    """Has validation, and all callbacks at an epoch's end, see the averages; training goes on from the weights it had.

    The first of the callbacks; without an average, such as without `use_ema`, it does nothing. Beside
    `keras.callbacks.SwapEMAWeights`, it leaves the averages where they are, so that `fit`, which puts them into the
    model at its end, finds them also after early stopping.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: Weights | None = None

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
