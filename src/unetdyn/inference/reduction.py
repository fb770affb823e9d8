"""From what a model gives to what is written: probabilities, a mask, class numbers, or logits."""

from dataclasses import dataclass

import numpy as np

from unetdyn._checks import check_choice, check_fraction

REDUCTIONS = ("probabilities", "threshold", "argmax", "logits")
COMPARISONS = (">", ">=")
_DTYPES = {
    "probabilities": ("float32", "float16", "uint8"),
    "threshold": ("uint8", "bool"),
    "argmax": ("uint8", "uint16"),
    "logits": ("float32", "float16"),
}
_SLACK = 1e-3  # mixed precision may leave a probability as far above 1


@dataclass(frozen=True)
class Reduction:
    """What becomes of the model's outputs. Checked when made.

    Args:
        reduce: As `predict_tiled` takes it, and so are:
        threshold: In [0, 1].
        comparison: ">" or ">=".
        from_logits: Whether the model gives logits; None: not known, which `reduce="logits"` takes for yes.
        dtype: None: the first that the reduction can have, of `argmax` the smallest that holds the classes.
    """

    reduce: str
    threshold: float = 0.5
    comparison: str = ">"
    from_logits: bool | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_choice("reduce", self.reduce, REDUCTIONS)
        check_fraction("threshold", self.threshold, zero=True, one=True)
        check_choice("comparison", self.comparison, COMPARISONS)
        check_choice("from_logits", self.from_logits, (None, True, False))
        if self.dtype is not None and self.dtype not in _DTYPES[self.reduce]:
            raise ValueError(
                f"`dtype` must be one of {', '.join(map(repr, _DTYPES[self.reduce]))}, or None, with "
                f"reduce={self.reduce!r}. Received: dtype={self.dtype!r}."
            )
        if self.reduce == "logits" and self.from_logits is False:
            raise ValueError(
                "`reduce='logits'` needs a model that gives logits. Received: from_logits=False, or a model that was "
                "stored with output='probabilities'. Pass reduce='probabilities'."
            )

    def dtype_for(self, classes: int) -> np.dtype:
        """Of the result, for a model of so many channels.

        Raises:
            ValueError: If `argmax` has one channel, or the dtype doesn't hold the classes.
        """
        if self.reduce != "argmax":
            return np.dtype(self.dtype or _DTYPES[self.reduce][0])
        if classes == 1:
            raise ValueError(
                "`reduce='argmax'` needs a model of several channels. Received: a model with 1 channel, whose mask is "
                "had by reduce='threshold'."
            )
        dtype = np.dtype(self.dtype or ("uint8" if classes <= 256 else "uint16"))
        if classes - 1 > np.iinfo(dtype).max:
            raise ValueError(f"`dtype` must hold {classes} classes. Received: dtype={str(dtype)!r}. Pass 'uint16'.")
        return dtype

    def channels_for(self, classes: int) -> int:
        """How many values a pixel of the result has."""
        return 1 if self.reduce == "argmax" else classes

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """What tiles and their copies are averaged of: probabilities, or logits where these are asked for.

        Args:
            outputs: Of the model, `(…, classes)`, in `float32`.

        Raises:
            ValueError: If they are not finite, or leave [0, 1] where they must be probabilities.
        """
        low, high = float(outputs.min()), float(outputs.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError(
                "`model` must give finite numbers. Received: outputs with NaN or infinity. Have the weights diverged, "
                "or does float16 not hold what is inside of the network?"
            )
        if self.reduce == "logits":
            return outputs
        if self.from_logits:
            return _softmax(outputs) if self._excludes(outputs.shape[-1]) else _sigmoid(outputs)
        if low < -_SLACK or high > 1 + _SLACK:
            raise ValueError(
                f"`model` must give probabilities with reduce={self.reduce!r}. Received: outputs from {low:.3g} to "
                f"{high:.3g}, which are none: it gives logits. Pass from_logits=True, or reduce='logits' to have them."
            )
        return outputs

    def result(self, scores: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """The values that are written.

        Args:
            scores: `(…, classes)`, averaged.
            dtype: From `dtype_for`.
        """
        if self.reduce == "argmax":
            return scores.argmax(axis=-1, keepdims=True).astype(dtype)
        if self.reduce == "threshold":
            threshold = np.float32(self.threshold)
            return (scores > threshold if self.comparison == ">" else scores >= threshold).astype(dtype)
        if self.reduce == "logits":
            return scores.astype(dtype)
        scores = np.clip(scores, 0, 1)  # shares of tiles may add up to a little more than 1
        return np.rint(scores * 255).astype(dtype) if dtype == np.uint8 else scores.astype(dtype)

    def _excludes(self, classes: int) -> bool:
        """Whether channels exclude each other; with a threshold, each is a map of its own, as in our metrics."""
        return classes > 1 and self.reduce != "threshold"


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
