"""Ratios of true and false positives and negatives: of one image, of a batch, of all that was counted."""

from dataclasses import dataclass
from typing import Any

from keras import ops

from unetdyn.metrics import counts
from unetdyn.metrics.counting import Batch, CountingRule, image_counts, validate

Tensor = Any
Weights = tuple[int, int, int, int]
"""Of true positives, false positives, false negatives and true negatives."""

SCORE_UNITS = 2**22
"""Scores of images are summed in whole units of 2⁻²², so that their sum does not depend on the order either."""


@dataclass(frozen=True)
class Ratio:
    """What a metric is of the four counts.

    Attributes:
        above: Weights of the numerator.
        below: Weights of the denominator.
        subject: Weights of what the score is about. Where there is none of it, the score is that of `empty`; where
            there is some but the denominator is 0, it is 0, as scikit-learn's is by default.
        pixelwise: Whether, of classes that exclude each other and are pooled, whole pixels are counted.
    """

    above: Weights
    below: Weights
    subject: Weights
    pixelwise: bool = False


OBJECT = (1, 1, 1, 0)
"""Pixels that are foreground by the label or by the prediction: the union."""

BACKGROUND = (0, 1, 1, 1)
ALL = (1, 1, 1, 1)

JACCARD = Ratio((1, 0, 0, 0), OBJECT, OBJECT)
DICE = Ratio((2, 0, 0, 0), (2, 1, 1, 0), OBJECT)
PRECISION = Ratio((1, 0, 0, 0), (1, 1, 0, 0), OBJECT)
RECALL = Ratio((1, 0, 0, 0), (1, 0, 1, 0), OBJECT)
SPECIFICITY = Ratio((0, 0, 0, 1), (0, 1, 0, 1), BACKGROUND)
ACCURACY = Ratio((1, 0, 0, 1), ALL, ALL, pixelwise=True)


def totals_shape(rule: CountingRule) -> tuple[int, int, int]:
    """The shape of what is kept: limbs of the four counts, or of the sum and the number of scores, for each class."""
    return 2, 4 if rule.aggregate == "dataset" else 2, rule.scores


def update(batch: Batch, rule: CountingRule, ratio: Ratio) -> Tensor:
    """What the batch adds to the totals: limbs, of `totals_shape`."""
    pixelwise = ratio.pixelwise and rule.threshold is None and rule.class_ids is None
    found = image_counts(batch, rule, pixelwise)
    if rule.aggregate == "image":
        return _score_sums(counts.limbs_of(found), rule, ratio)
    total = counts.limbs_of_sum(found)
    if rule.aggregate == "dataset":
        return total
    return _score_sums(ops.expand_dims(total, axis=1), rule, ratio)


def _score_sums(limbs: Tensor, rule: CountingRule, ratio: Ratio) -> Tensor:
    """Sum of scores in units of 2⁻²², and their number, of counts `(2, images, 4, scores)`: `(2, 2, scores)`."""
    above, below, subject = _parts(limbs, ratio)
    filled = subject > 0
    value = 0.0 if rule.empty == "skip" else rule.empty
    scores = ops.where(filled, ops.divide_no_nan(above, below), value + ops.zeros_like(below))
    included = counts.to_float(counts.weighted(limbs, ALL)) > 0
    if rule.empty == "skip":
        included = ops.logical_and(included, filled)
    included = ops.cast(included, "int32")
    units = ops.cast(ops.round(scores * SCORE_UNITS), "int32")
    return counts.limbs_of_sum(ops.stack([units * included, included], axis=1))


def _parts(limbs: Tensor, ratio: Ratio) -> list[Tensor]:
    """Numerator, denominator and subject as float32: `(2, ..., 4, scores)` to `(..., scores)` each."""
    return [counts.to_float(counts.weighted(limbs, each)) for each in (ratio.above, ratio.below, ratio.subject)]


def compute(totals: Tensor, rule: CountingRule, ratio: Ratio) -> Tensor:
    """The score from the totals: the mean over the classes that have one; NaN where "skip" leaves none."""
    if rule.aggregate == "dataset":
        above, below, subject = _parts(totals, ratio)
    else:
        sums = counts.to_float(totals)
        above, below, subject = sums[0] / SCORE_UNITS, sums[1], sums[1]
    defined, scores = subject > 0, ops.divide_no_nan(above, below)
    if rule.empty != "skip":
        return ops.mean(ops.where(defined, scores, rule.empty + ops.zeros_like(scores)))
    number = ops.sum(ops.cast(defined, "float32"))
    return ops.sum(scores) / number  # of none it is 0 / 0


def score(y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, rule: CountingRule, ratio: Ratio) -> Tensor:
    """The score of the arrays given."""
    return compute(update(validate(y_true, y_pred, sample_weight, rule), rule, ratio), rule, ratio)
