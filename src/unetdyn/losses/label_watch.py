"""A loss says once what is wrong with its labels, on the host and at no cost in the step.

A compiled step can neither read values nor warn, and a loss has no state in which Keras would carry flags out of it.
So a loss looks where it can for nothing: at the first labels that it is given as values; and while a step of `fit` is
traced, at the array of labels of that `fit`, and later at the sign of what it logs. See docs/decisions/0011.
"""

import sys
from dataclasses import replace
from traceback import walk_stack
from types import FrameType
from typing import Any

import keras
import numpy as np

from unetdyn._warnings import warn
from unetdyn.dynamics.frames import local_of
from unetdyn.metrics.input_flags import is_readable
from unetdyn.metrics.label_warnings import Labels, divided_twice, label_warnings

Tensor = Any

LOOKS = 8
"""So many times at most it looks at values, until it has seen a label other than 0: each waits for the device."""

IMAGES = 64
"""Of an array of labels, the first so many."""


class LabelWatch:
    """What one loss has looked at, and whether it has told."""

    def __init__(self) -> None:
        self.told = False
        self._looks = 0

    def look(self, loss: keras.losses.Loss, y_true: Any, sample_weight: Any, channels: int | None = None) -> None:
        """Called with what the loss is called with, before it is computed.

        Args:
            loss: Whose labels they are.
            y_true: Labels.
            sample_weight: What they count, or None.
            channels: Where labels are class numbers, how many channels the predictions have; None for masks.
        """
        if self.told or self._looks >= LOOKS:
            return
        labels = _values(y_true)
        if labels is None:
            if keras.backend.backend() != "torch":  # whose steps show values; and torch.compile follows no frames
                self._look_at_fit(loss, channels)
            return
        self._looks += 1
        self._judge(loss, labels, None if sample_weight is None else _values(sample_weight), channels)

    def tell(self, loss: keras.losses.Loss, code: str, text: str) -> None:
        """Warn, once."""
        if not self.told:
            self.told = True
            warn(code, f"Loss '{loss.name}': {text}", stacklevel=2)

    def _judge(
        self, loss: keras.losses.Loss, labels: np.ndarray, weight: np.ndarray | None, channels: int | None
    ) -> None:
        seen = _seen(labels, weight, loss.ignore_label)
        if seen is None:
            return
        if seen.largest or seen.lowest:
            self._looks = LOOKS
        soft = seen.lowest >= 0 and seen.largest <= 1 and not divided_twice(seen)  # as a loss of masks may have it
        if channels is not None:
            seen, soft = replace(seen, channels=channels, sparse=True), False
        for code, text in label_warnings(seen, scored=False):
            if code == "labels.nonfinite" or not soft:
                self.tell(loss, code, text)

    def _look_at_fit(self, loss: keras.losses.Loss, channels: int | None) -> None:
        """While a step is traced: at the labels and the callbacks of the `fit` that called for it."""
        fits = (frame for frame, _ in walk_stack(sys._getframe(2)) if frame.f_code.co_name == "fit")
        fit = next(filter(_is_of_keras, fits), None)
        if fit is None or getattr(local_of(fit, "self"), "loss", None) is not loss:
            return
        labels, weight = (_first(local_of(fit, name)) for name in ("y", "sample_weight"))
        callbacks = local_of(fit, "callbacks").callbacks
        if isinstance(labels, np.ndarray) and (weight is None or isinstance(weight, np.ndarray)):
            self._judge(loss, labels[:IMAGES], None if weight is None else weight[:IMAGES], channels)
        if not self.told and not any(isinstance(each, _SignOfLoss) for each in callbacks):
            callbacks.append(_SignOfLoss(loss, self))


class _SignOfLoss(keras.callbacks.Callback):
    """Reads what `fit` logs at the end of an epoch: labels from 0 to 1 give no negative loss."""

    def __init__(self, loss: keras.losses.Loss, watch: LabelWatch) -> None:
        super().__init__()
        self._loss, self._watch = loss, watch

    def get_state(self) -> dict[str, Any]:
        """Nothing that a resumed training needs: it comes with the first traced step."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing to do."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        value = (logs or {}).get("loss", 0.0)
        if value < 0:
            self._watch.tell(
                self._loss,
                "labels.scale",
                f"its mean over an epoch is {value:.4g}, and labels from 0 to 1 give no negative one. Labels above 1, "
                "as of 8-bit masks of 0 and 255, or below 0 do. Divide the masks by 255, or use `mask > 0`; a "
                "`ThresholdedJaccard` among the metrics says what they hold.",
            )


def _first(given: Any) -> Any:
    """Of what is given for several outputs, that of the first."""
    return given[0] if isinstance(given, list | tuple) and given else given


def _is_of_keras(fit: FrameType) -> bool:
    """By what it has at hand; a caller of that name may be anybody's."""
    callbacks = local_of(fit, "callbacks")
    return isinstance(callbacks, keras.callbacks.CallbackList) and isinstance(local_of(fit, "self"), keras.Model)


def _values(tensor: Any) -> np.ndarray | None:
    """A tensor's values where the host can read them now; None while a step is traced."""
    if isinstance(tensor, keras.KerasTensor):
        return None
    if isinstance(tensor, np.ndarray | list | tuple | float | int):
        return np.asarray(tensor)
    return keras.ops.convert_to_numpy(tensor) if is_readable(tensor) else None


def _seen(labels: np.ndarray, weight: np.ndarray | None, ignored: float | None) -> Labels | None:
    """What there is among the labels that count; None where there are none, or shapes that the loss will refuse."""
    counted = np.ones(labels.shape, bool) if ignored is None else labels != ignored
    if weight is not None:
        axes = labels.ndim - weight.ndim
        try:
            weight = weight.reshape(*weight.shape, *(1,) * axes) if axes >= 0 else weight.reshape(labels.shape)
            counted &= np.broadcast_to(weight != 0, labels.shape)
        except ValueError:
            return None
    values = labels[counted].astype(np.float64)
    finite = values[np.isfinite(values)]
    if not values.size:
        return None
    positive = finite[finite > 0]
    return Labels(
        lowest=float(finite.min(initial=0)),
        smallest=float(positive.min()) if positive.size else 0.0,
        largest=float(finite.max(initial=0)),
        background=bool((finite <= 0.5).any()),
        nonfinite=finite.size < values.size,
    )
