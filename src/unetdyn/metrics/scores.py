"""Dice, precision, recall, specificity and accuracy as functions."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack

from unetdyn._checks import nearest
from unetdyn.metrics.counting import CountingRule
from unetdyn.metrics.ratios import ACCURACY, DICE, PRECISION, RECALL, SPECIFICITY, Ratio, score

Tensor = Any


class Options(TypedDict, total=False):
    """What `dice` and the others take beside labels and predictions; explained at the metrics of these names."""

    threshold: float | None
    comparison: Literal[">", ">="]
    aggregate: Literal["dataset", "image", "batch"]
    empty: float | Literal["skip"]
    from_logits: bool
    class_ids: Sequence[int] | None
    ignore_label: float | None


def _score(y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, options: Options, ratio: Ratio) -> Tensor:
    known = Options.__annotations__
    for name in options:
        if name not in known:
            raise TypeError(f"unknown argument {name!r}; there are {', '.join(known)}.{nearest(name, known)}")
    return score(y_true, y_pred, sample_weight, CountingRule(**options), ratio)


def dice(y_true: Tensor, y_pred: Tensor, *, sample_weight: Tensor | None = None, **options: Unpack[Options]) -> Tensor:
    """Dice coefficient (F1 score) of the arrays given, the predictions binarised first.

    `D = 2·TP / (2·TP + FP + FN)`, with the conventions of `Dice`; "dataset" means all that is given here.

    Args:
        y_true: Labels, `(batch, height, width, channels)`.
        y_pred: Predictions, same shape.
        sample_weight: Mask: pixels of weight 0 are left out; None, the default: all count.
        **options: The other arguments of `Dice`, with its defaults.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.
        TypeError: If `Dice` has no such argument.

    Example:
        >>> round(float(dice([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])), 4)
        0.8

    Reference:
        Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.
    """
    return _score(y_true, y_pred, sample_weight, options, DICE)


def precision(
    y_true: Tensor, y_pred: Tensor, *, sample_weight: Tensor | None = None, **options: Unpack[Options]
) -> Tensor:
    """Share of the predicted foreground that is foreground.

    `P = TP / (TP + FP)`, with the conventions of `Precision`; "dataset" means all that is given here.

    Args:
        y_true: As in `dice`.
        y_pred: As in `dice`.
        sample_weight: As in `dice`.
        **options: The other arguments of `Precision`, with its defaults.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.
        TypeError: If `Precision` has no such argument.

    Example:
        >>> round(float(precision([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])), 4)
        1.0

    Reference:
        Van Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7.
    """
    return _score(y_true, y_pred, sample_weight, options, PRECISION)


def recall(
    y_true: Tensor, y_pred: Tensor, *, sample_weight: Tensor | None = None, **options: Unpack[Options]
) -> Tensor:
    """Share of the foreground that was predicted (sensitivity).

    `R = TP / (TP + FN)`, with the conventions of `Recall`; "dataset" means all that is given here.

    Args:
        y_true: As in `dice`.
        y_pred: As in `dice`.
        sample_weight: As in `dice`.
        **options: The other arguments of `Recall`, with its defaults.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.
        TypeError: If `Recall` has no such argument.

    Example:
        >>> round(float(recall([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])), 4)
        0.6667

    Reference:
        Van Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7.
    """
    return _score(y_true, y_pred, sample_weight, options, RECALL)


def specificity(
    y_true: Tensor, y_pred: Tensor, *, sample_weight: Tensor | None = None, **options: Unpack[Options]
) -> Tensor:
    """Share of the background that was left alone.

    `S = TN / (TN + FP)`, with the conventions of `Specificity`; "dataset" means all that is given here.

    Args:
        y_true: As in `dice`.
        y_pred: As in `dice`.
        sample_weight: As in `dice`.
        **options: The other arguments of `Specificity`, with its defaults.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.
        TypeError: If `Specificity` has no such argument.

    Example:
        >>> round(float(specificity([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])), 4)
        1.0

    Reference:
        Yerushalmy, "Statistical problems in assessing methods of medical diagnosis", Public Health Reports 62, 1947.
    """
    return _score(y_true, y_pred, sample_weight, options, SPECIFICITY)


def accuracy(
    y_true: Tensor, y_pred: Tensor, *, sample_weight: Tensor | None = None, **options: Unpack[Options]
) -> Tensor:
    """Share of the pixels that are right.

    `A = (TP + TN) / (TP + FP + FN + TN)`, with the conventions of `Accuracy`; "dataset" means all that is given here.

    Args:
        y_true: As in `dice`.
        y_pred: As in `dice`.
        sample_weight: As in `dice`.
        **options: The other arguments of `Accuracy`, with its defaults.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.
        TypeError: If `Accuracy` has no such argument.

    Example:
        >>> round(float(accuracy([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])), 4)
        0.75

    Reference:
        Metz, "Basic principles of ROC analysis", Seminars in Nuclear Medicine 8, 1978.
    """
    return _score(y_true, y_pred, sample_weight, options, ACCURACY)
