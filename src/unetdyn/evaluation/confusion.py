"""Pixels that are right and wrong, and the scores that are quotients of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_choice, check_count
from unetdyn.analysis.result import Result, number
from unetdyn.evaluation.inputs import binary, counted_pixels, fitting, whole_numbers

SCORES = ("jaccard", "dice", "precision", "recall", "specificity", "accuracy")
"""What is made of the four counts."""

Empty = float | Literal["skip"]


@dataclass(frozen=True)
class PixelScores(Result):
    """Scores in [0, 1]; NaN where there is nothing to score. See `PixelCounts.scores`.

    Attributes:
        jaccard: TP / (TP + FP + FN), the IoU.
        dice: 2 TP / (2 TP + FP + FN), which is F1.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN), the sensitivity.
        specificity: TN / (TN + FP).
        accuracy: (TP + TN) / (TP + FP + FN + TN).
    """

    jaccard: float
    dice: float
    precision: float
    recall: float
    specificity: float
    accuracy: float

    def _rows(self) -> list[tuple[str, str]]:
        return [(name, number(getattr(self, name))) for name in SCORES]


@dataclass(frozen=True)
class PixelCounts(Result):
    """How many pixels, or voxels, are which. Counts of several images add up: `sum(counts, PixelCounts())`.

    Attributes:
        tp: Object in both.
        fp: Predicted, and background in the mask.
        fn: Object in the mask, and not predicted.
        tn: Background in both.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def pixels(self) -> int:
        """All that were counted; ignored ones are not among them."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def background(self) -> PixelCounts:
        """The same with the background taken for the object."""
        return PixelCounts(self.tn, self.fn, self.fp, self.tp)

    def scores(self, empty: Empty = 1.0) -> PixelScores:
        """The quotients.

        Args:
            empty: What Jaccard, Dice, precision and recall are where the object is in neither, specificity where the
                background is in neither, and accuracy where there is no pixel: 1.0 (default), because an empty
                prediction for an empty mask is right; 0.0; or "skip" for NaN. Where it is in one of them only, a
                quotient of 0/0 is 0, as in scikit-learn: an object that was missed has no precision, and leaving it
                out would improve the mean over images.

        Raises:
            ValueError: If `empty` is something else.

        Example:
            >>> PixelCounts(tp=3, fp=1, fn=2, tn=94).scores().jaccard
            0.5
            >>> PixelCounts(fn=5, tn=95).scores("skip").precision
            0.0
        """
        check_choice("empty", empty, (1.0, 0.0, "skip"))
        arrays = score_arrays(self.tp, self.fp, self.fn, self.tn, empty)
        return PixelScores(**{name: float(score) for name, score in arrays.items()})

    def _rows(self) -> list[tuple[str, str]]:
        counts = [(name, str(getattr(self, name))) for name in ("tp", "fp", "fn", "tn")]
        return counts + self.scores("skip")._rows()


def pixel_counts(
    prediction: ArrayLike, mask: ArrayLike, *, label: int | None = None, ignore_label: float | None = None
) -> PixelCounts:
    """Count the pixels of one image, section or volume.

    Args:
        prediction: 0 and 1, or booleans, of any shape; class numbers where a `label` is given.
        mask: The truth, of the same shape; a last axis of 1 may be left out on either side.
        label: The class that is the object, in maps of class numbers; None (default): masks of 0 and 1.
        ignore_label: Value of the mask where nothing is counted, such as 255; None (default): none.

    Returns:
        `PixelCounts`.

    Raises:
        ValueError: If shapes differ, or values are not those of masks (0 and 255, probabilities, NaN).

    Example:
        >>> pixel_counts([0, 1, 1, 1], [0, 0, 1, 255], ignore_label=255)
        PixelCounts(tp=1, fp=1, fn=0, tn=1)
        >>> pixel_counts([2, 1, 2], [2, 2, 0], label=2).scores().jaccard
        0.3333333333333333
    """
    predicted, true = fitting("prediction", prediction, "mask", mask)
    counted = counted_pixels(true, ignore_label)
    if label is None:
        p = binary("prediction", predicted)
        y = binary("mask", true, counted)
    else:
        check_count("label", label, least=0, unit="", otherwise="the number of a class")
        p, y = whole_numbers("prediction", predicted) == label, whole_numbers("mask", true, counted) == label
    return count(p, y, counted)


def count(p: NDArray[np.bool_], y: NDArray[np.bool_], counted: NDArray[np.bool_] | None) -> PixelCounts:
    """The four counts of booleans; what is not `counted` is left out, None: all is counted."""
    size = int(p.size)
    if counted is not None:
        p, y, size = p & counted, y & counted, int(np.count_nonzero(counted))
    tp, predicted, true = (int(np.count_nonzero(found)) for found in (p & y, p, y))
    return PixelCounts(tp, predicted - tp, true - tp, size - predicted - true + tp)


def score_arrays(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, empty: Empty) -> dict[str, NDArray]:
    """Each of `SCORES` of counts of any equal shape; the rule is that of `PixelCounts.scores`."""
    tp, fp, fn, tn = (np.asarray(part, dtype=np.float64) for part in (tp, fp, fn, tn))
    wrong = fp + fn
    filler = np.nan if empty == "skip" else float(empty)
    no_object = np.where(tp + wrong == 0, filler, 0.0)
    no_background = np.where(tn + wrong == 0, filler, 0.0)
    return {
        "jaccard": _quotient(tp, tp + wrong, no_object),
        "dice": _quotient(2 * tp, 2 * tp + wrong, no_object),
        "precision": _quotient(tp, tp + fp, no_object),
        "recall": _quotient(tp, tp + fn, no_object),
        "specificity": _quotient(tn, tn + fp, no_background),
        "accuracy": _quotient(tp + tn, tp + wrong + tn, np.full(tp.shape, filler)),
    }


def _quotient(above: NDArray, below: NDArray, otherwise: NDArray) -> NDArray[np.float64]:
    return np.divide(above, below, out=otherwise.copy(), where=below > 0)
