"""Dice, precision, recall, specificity and accuracy as Keras metrics."""

import keras

from unetdyn.metrics.counting_metric import CountingMetric
from unetdyn.metrics.ratios import ACCURACY, DICE, PRECISION, RECALL, SPECIFICITY


@keras.saving.register_keras_serializable(package="unetdyn")
class Dice(CountingMetric):
    """Dice coefficient (F1 score) of binarised predictions, exact and independent of how the data were batched.

    `D = 2·TP / (2·TP + FP + FN)`. It is `2J / (1 + J)` of the Jaccard index J, where both are ratios of the same
    counts; means over images or classes are not. It is the same with labels and predictions exchanged. A larger value
    is better. What is counted, what the channels mean and what it warns of: as `ThresholdedJaccard`.

    Args:
        threshold: Probability in [0, 1] that a prediction must exceed to be foreground. 0.5 by default, where both
            classes are equally probable; None: the largest channel wins.
        comparison: ">" by default, as `ThresholdedJaccard`; ">=" counts a prediction at the threshold too.
        aggregate: "dataset" by default: one ratio of all counts, whatever the batches; "image": the mean of the images'
            ratios; "batch": the mean of the batches' ratios, which depends on their size.
        empty: Score of a dataset, image, batch or class where neither labels nor predictions have foreground. 1.0 by
            default, because nothing is wrong there; 0.0, or "skip" leaves it out of the mean, and the result is NaN
            where nothing is left.
        from_logits: Whether predictions are logits, which are not passed through a sigmoid but compared with
            ln(t / (1 − t)). False by default, as in Keras.
        class_ids: Classes to average over; None, the default, pools all channels.
        name: "dice" by default, so that logs read `dice` and `val_dice`.
        dtype: Kept for Keras' sake. Sums and result are float32 under every dtype policy.
        ignore_label: Label of pixels that count nowhere, such as 255 or -1; None, the default: none.

    `update_state` takes `sample_weight` as a mask, as `ThresholdedJaccard` does.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = Dice()
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])
        >>> round(float(metric.result()), 4)
        0.8

    Reference:
        Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.
    """

    ratio = DICE
    log_name = "dice"


@keras.saving.register_keras_serializable(package="unetdyn")
class Precision(CountingMetric):
    """Share of the predicted foreground that is foreground, exact and independent of how the data were batched.

    `P = TP / (TP + FP)`. Where nothing is predicted though there is something, it is 0 and not undefined, as
    scikit-learn's `zero_division=0`: an object that was missed does not improve a mean. With labels and predictions
    exchanged it is `Recall`. A larger value is better. What is counted, what the channels mean and what it warns of: as
    `ThresholdedJaccard`.

    Args:
        threshold: As in `Dice`.
        comparison: As in `Dice`.
        aggregate: As in `Dice`.
        empty: As in `Dice`.
        from_logits: As in `Dice`.
        class_ids: As in `Dice`.
        name: "precision" by default, so that logs read `precision` and `val_precision`.
        dtype: As in `Dice`.
        ignore_label: As in `Dice`.

    `update_state` takes `sample_weight` as a mask, as `ThresholdedJaccard` does.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = Precision()
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])
        >>> round(float(metric.result()), 4)
        1.0

    Reference:
        Van Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7.
    """

    ratio = PRECISION
    log_name = "precision"


@keras.saving.register_keras_serializable(package="unetdyn")
class Recall(CountingMetric):
    """Share of the foreground that was predicted (sensitivity), exact and independent of how the data were batched.

    `R = TP / (TP + FN)`. Where there is none, but some is predicted, it is 0 and not undefined, as scikit-learn's
    `zero_division=0`. With labels and predictions exchanged it is `Precision`. A larger value is better. What is
    counted, what the channels mean and what it warns of: as `ThresholdedJaccard`.

    Args:
        threshold: As in `Dice`.
        comparison: As in `Dice`.
        aggregate: As in `Dice`.
        empty: As in `Dice`.
        from_logits: As in `Dice`.
        class_ids: As in `Dice`.
        name: "recall" by default, so that logs read `recall` and `val_recall`.
        dtype: As in `Dice`.
        ignore_label: As in `Dice`.

    `update_state` takes `sample_weight` as a mask, as `ThresholdedJaccard` does.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = Recall()
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])
        >>> round(float(metric.result()), 4)
        0.6667

    Reference:
        Van Rijsbergen, "Information Retrieval", 2nd edition, 1979, chapter 7.
    """

    ratio = RECALL
    log_name = "recall"


@keras.saving.register_keras_serializable(package="unetdyn")
class Specificity(CountingMetric):
    """Share of the background that was left alone, exact and independent of how the data were batched.

    `S = TN / (TN + FP)`. It is the recall of the background, and has its conventions: 0 where no label is background,
    but some is predicted. Where the foreground is small, it is near 1 whatever the model does. A larger value is
    better. What is counted, what the channels mean and what it warns of: as `ThresholdedJaccard`.

    Args:
        threshold: As in `Dice`.
        comparison: As in `Dice`.
        aggregate: As in `Dice`.
        empty: Score of a dataset, image, batch or class where neither labels nor predictions have background. 1.0 by
            default, because nothing is wrong there; 0.0, or "skip" leaves it out of the mean, and the result is NaN
            where nothing is left.
        from_logits: As in `Dice`.
        class_ids: As in `Dice`.
        name: "specificity" by default, so that logs read `specificity` and `val_specificity`.
        dtype: As in `Dice`.
        ignore_label: As in `Dice`.

    `update_state` takes `sample_weight` as a mask, as `ThresholdedJaccard` does.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = Specificity()
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])
        >>> round(float(metric.result()), 4)
        1.0

    Reference:
        Yerushalmy, "Statistical problems in assessing methods of medical diagnosis", Public Health Reports 62, 1947.
    """

    ratio = SPECIFICITY
    log_name = "specificity"


@keras.saving.register_keras_serializable(package="unetdyn")
class Accuracy(CountingMetric):
    """Share of the pixels that are right, exact and independent of how the data were batched.

    `A = (TP + TN) / (TP + FP + FN + TN)`. Of classes that exclude each other (`threshold=None`) it is the share of
    pixels whose largest channel is the label's; of maps that don't, the share over all of them. Where the foreground is
    small, a prediction of none at all has an accuracy near 1: look at `Recall` beside it. A larger value is better.
    What is counted, what the channels mean and what it warns of: as `ThresholdedJaccard`.

    Args:
        threshold: As in `Dice`.
        comparison: As in `Dice`.
        aggregate: As in `Dice`.
        empty: Score where no pixel counts at all: of a dataset without one, or before the first update. 1.0 by default,
            as of the others; 0.0, or "skip" leaves it out of the mean, and the result is NaN where nothing is left.
        from_logits: As in `Dice`.
        class_ids: As in `Dice`.
        name: "accuracy" by default, so that logs read `accuracy` and `val_accuracy`.
        dtype: As in `Dice`.
        ignore_label: As in `Dice`.

    `update_state` takes `sample_weight` as a mask, as `ThresholdedJaccard` does.

    Returns:
        `result()` is a scalar float32 tensor in [0, 1] or NaN; the value of `empty` before the first update.

    Raises:
        ValueError: If an argument is out of range, or in `update_state`, also while it is traced, if shapes do not fit.

    Example:
        >>> metric = Accuracy()
        >>> metric.update_state([[1, 1, 1, 0]], [[0.9, 0.8, 0.4, 0.1]])
        >>> round(float(metric.result()), 4)
        0.75

    Reference:
        Metz, "Basic principles of ROC analysis", Seminars in Nuclear Medicine 8, 1978.
    """

    ratio = ACCURACY
    log_name = "accuracy"
