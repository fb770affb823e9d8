"""The thresholded Jaccard index as a function."""

from collections.abc import Sequence
from typing import Any, Literal

from unetdyn.metrics.counting import CountingRule
from unetdyn.metrics.ratios import JACCARD, score

Tensor = Any


def thresholded_jaccard(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    sample_weight: Tensor | None = None,
    threshold: float | None = 0.5,
    comparison: Literal[">", ">="] = ">",
    aggregate: Literal["dataset", "image", "batch"] = "dataset",
    empty: float | Literal["skip"] = 1.0,
    from_logits: bool = False,
    class_ids: Sequence[int] | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """Jaccard index of the arrays given, the predictions binarised first.

    `J = |{y > ½} ∩ {p > t}| / |{y > ½} ∪ {p > t}|`. The arguments are those of `ThresholdedJaccard`; "dataset" means
    all that is given here.

    Args:
        y_true: Labels, `(batch, height, width, channels)`.
        y_pred: Predictions, same shape.
        sample_weight: Mask: pixels of weight 0 are left out.
        threshold: Probability that a pixel's prediction must exceed, 0.5 by default; None takes the largest channel.
        comparison: ">" by default, as in the studies (docs/studies.md), or ">=".
        aggregate: "dataset" by default; "image" for the mean over images.
        empty: Score where labels and predictions are both empty, 1.0 by default because nothing is wrong there.
        from_logits: Whether `y_pred` holds logits; False by default, as in Keras.
        class_ids: Classes to average over; None, the default, pools all channels.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.

    Example:
        >>> round(float(thresholded_jaccard([[1, 1, 0, 0]], [[0.9, 0.4, 0.8, 0.1]])), 4)
        0.3333

    Reference:
        Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.
    """
    rule = CountingRule(threshold, comparison, aggregate, empty, from_logits, class_ids, ignore_label)
    return score(y_true, y_pred, sample_weight, rule, JACCARD)
