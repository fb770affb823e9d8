"""The Jaccard index under the tutorials' name: a function to call, and a metric with a direction in `compile`."""

from typing import Any

import keras

from unetdyn.metrics.jaccard import thresholded_jaccard
from unetdyn.metrics.thresholded import ThresholdedJaccard

Tensor = Any


# Both go by one name: where Keras saves the class, which stands in `compile` itself, it loads a metric of it.
@keras.saving.register_keras_serializable(package="unetdyn", name="jacard_coef")
class _FunctionAndMetric(type):
    """Of a metric class that is a function too: called with labels and predictions, it makes no metric."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args or "y_true" in kwargs or "y_pred" in kwargs:
            return cls.of(*args, **kwargs)  # type: ignore[attr-defined]
        return super().__call__(**kwargs)

    @property
    def get_config(cls) -> Any:
        """What Keras asks of what it saves: the class has no settings. Instances have a `get_config` of their own."""
        return dict


@keras.saving.register_keras_serializable(package="unetdyn")
class jacard_coef(ThresholdedJaccard, metaclass=_FunctionAndMetric):
    """Jaccard index of one batch at the threshold 0.5, under the spelling of the widely copied tutorial code.

    `J = |{y > ½} ∩ {p > ½}| / |{y > ½} ∪ {p > ½}|` over all pixels given, and 1 where both are empty. Unlike the
    original, which sums the probabilities themselves (`soft_jaccard`), it binarises first.

    It is called as a function, and written into `compile` as one: `metrics=[jacard_coef]`. There Keras makes a metric
    of it, logged as `jacard_coef` and `val_jacard_coef`, which says that more is better. So `EarlyStopping`,
    `ReduceLROnPlateau` and `ModelCheckpoint` that monitor `val_jacard_coef` need no `mode`; with a plain function Keras
    refuses to guess.

    The value of an epoch is the mean of the batches' ratios, as of any function in `metrics`. It depends on the batch
    size: prefer `ThresholdedJaccard()`, which does not. It warns as that does.

    Args:
        y_true: Labels, `(batch, height, width, channels)`.
        y_pred: Probabilities in [0, 1], same shape.
        name: Of the metric, where neither is given: "jacard_coef" by default.
        dtype: Of the metric; kept for Keras' sake.

    Returns:
        A scalar float32 tensor in [0, 1]. Without labels and predictions: the metric, as Keras makes it.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> float(jacard_coef([[1, 1, 0, 0]], [[0.9, 0.8, 0.8, 0.9]]))
        0.5
        >>> jacard_coef()
        <jacard_coef name=jacard_coef>

    Reference:
        Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.
    """

    def __init__(self, name: str = "jacard_coef", dtype: Any = None) -> None:
        super().__init__(aggregate="batch", name=name, dtype=dtype)

    @staticmethod
    def of(y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The index of these arrays: what `jacard_coef(y_true, y_pred)` calls."""
        return thresholded_jaccard(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {"name": self.name, "dtype": self.dtype}
