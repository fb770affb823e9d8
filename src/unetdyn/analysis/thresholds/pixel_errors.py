"""What one pixel's error does to the Jaccard index, and to the accuracy beside it."""

import math
from dataclasses import dataclass

from unetdyn._checks import check_count
from unetdyn.analysis.result import Result, number


@dataclass(frozen=True)
class JaccardSensitivity(Result):
    """What `jaccard_sensitivity` found, with P object pixels, N pixels in all, FP false positives, FN false negatives.

    Attributes:
        object_pixels: P.
        total_pixels: N.
        false_positives: FP.
        false_negatives: FN.
        jaccard: J = (P − FN) / (P + FP).
        accuracy: 1 − (FP + FN) / N.
        jaccard_per_pixel: 1 / P, the change of J by the first missed pixel of a perfect segmentation.
        accuracy_per_pixel: 1 / N, the change of the accuracy by any pixel.
        ratio: N / P, the first over the second.
        slope_false_positives: ∂J/∂FP = −J / (P + FP), per pixel.
        slope_false_negatives: ∂J/∂FN = −1 / (P + FP), per pixel.
        one_more_false_positive: The exact change of J, −J / (P + FP + 1); NaN where no background pixel is left.
        one_more_false_negative: The exact change of J, −1 / (P + FP); NaN where no object pixel is left.
    """

    object_pixels: int
    total_pixels: int
    false_positives: int
    false_negatives: int
    jaccard: float
    accuracy: float
    jaccard_per_pixel: float
    accuracy_per_pixel: float
    ratio: float
    slope_false_positives: float
    slope_false_negatives: float
    one_more_false_positive: float
    one_more_false_negative: float

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("object", f"{self.object_pixels} of {self.total_pixels} pixels"),
            ("errors", f"{self.false_positives} false positives, {self.false_negatives} false negatives"),
            ("Jaccard", number(self.jaccard)),
            ("accuracy", number(self.accuracy)),
            ("one more false positive", _change(self.one_more_false_positive, "background pixel")),
            ("one more false negative", _change(self.one_more_false_negative, "object pixel")),
            ("either", f"changes the accuracy by {number(-self.accuracy_per_pixel)}"),
            ("1/object over 1/total", number(self.ratio)),
        ]


def jaccard_sensitivity(
    object_pixels: int, total_pixels: int, false_positives: int = 0, false_negatives: int = 0
) -> JaccardSensitivity:
    """How much more one pixel's error changes the Jaccard index than the accuracy.

    With P object pixels, N pixels, FP false positives and FN false negatives, J = (P − FN) / (P + FP) and the accuracy
    is 1 − (FP + FN) / N. Hence

    - the studies' ratio, (1/P) / (1/N) = N/P: at a perfect segmentation the first missed pixel costs 1/P of Jaccard;
    - the derivatives ∂J/∂FP = −J / (P + FP) and ∂J/∂FN = −1 / (P + FP);
    - the exact changes by one more pixel, −J / (P + FP + 1) and −1 / (P + FP). J is linear in FN, so for a miss the
      derivative is exact. A false positive costs less than a miss; the smaller J is, the less.

    Args:
        object_pixels: P, pixels of the object in the mask, ≥ 1.
        total_pixels: N, pixels of the image, ≥ `object_pixels`.
        false_positives: FP, 0 … N − P. Default 0, where the studies' ratio holds.
        false_negatives: FN, 0 … P. Default 0.

    Returns:
        A `JaccardSensitivity`. Where every background pixel is a false positive already, or every object pixel is
        missed, one more is not defined: NaN.

    Raises:
        ValueError: If an argument is no whole number, or outside its range.

    Example:
        >>> print(jaccard_sensitivity(500, 65536, false_positives=100, false_negatives=50))
        object                   500 of 65536 pixels
        errors                   100 false positives, 50 false negatives
        Jaccard                  0.75
        accuracy                 0.998
        one more false positive  changes the Jaccard by -0.00125
        one more false negative  changes the Jaccard by -0.00167
        either                   changes the accuracy by -1.53e-05
        1/object over 1/total    131

    Reference:
        Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912. The ratio is that of
        the studies (docs/studies.md).
    """
    object_pixels = _whole("object_pixels", object_pixels, 1, None, "the index of an empty mask has no slope")
    total_pixels = _whole("total_pixels", total_pixels, object_pixels, None, "the object lies within the image")
    background = total_pixels - object_pixels
    fp = _whole("false_positives", false_positives, 0, background, "only background can be a false positive")
    fn = _whole("false_negatives", false_negatives, 0, object_pixels, "only object pixels can be missed")
    union = object_pixels + fp
    jaccard = (object_pixels - fn) / union
    return JaccardSensitivity(
        object_pixels,
        total_pixels,
        fp,
        fn,
        jaccard=jaccard,
        accuracy=1 - (fp + fn) / total_pixels,
        jaccard_per_pixel=1 / object_pixels,
        accuracy_per_pixel=1 / total_pixels,
        ratio=total_pixels / object_pixels,
        slope_false_positives=-jaccard / union,
        slope_false_negatives=-1 / union,
        one_more_false_positive=-jaccard / (union + 1) if fp < background else math.nan,
        one_more_false_negative=-1 / union if fn < object_pixels else math.nan,
    )


def _change(change: float, kind: str) -> str:
    return f"not possible: no {kind} is left" if math.isnan(change) else f"changes the Jaccard by {number(change)}"


def _whole(argument: str, value: int, least: int, most: int | None, why: str) -> int:
    check_count(argument, value, least, "pixels", f"since {why}", most)
    return int(value)
