"""Masks that are no masks: 0/255, 1/2, values between, none; or that are missing in one set."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

SOFT, MUCH = 0.01, 0.1  # share of values that are no whole number from which masks are soft: maybe, and probably
MORE = 0.2  # of the images of one set that have no foreground, more than in the other

SCALE = Limit(
    "labels.scale",
    "masks of one class",
    watch="hold values between 0 and 1 of which none reaches 1",
    ill="hold values other than 0 and 1, such as 255 or 2",
    source="the definition of the cross-entropy: its target is a probability",
    advice="divide 8-bit masks by 255, and give labels from 1 on their own classes: `(mask > 0).astype('float32')`.",
    expected="the loss is above 0, and the metric counts the object.",
    normal="where the loss takes class indices (`sparse_categorical_crossentropy`) or the targets are no masks.",
    explains=("loss.", "metric.", "stability", "run.failed"),
    alone=True,
)
FRACTIONAL = Limit(
    "labels.fractional",
    "masks",
    watch="hold values between 0 and 1, as a metric warned, and the training is not well",
    ill=f"hold values between whole numbers in more than {SOFT:.0%} of the pixels, and the training is not well",
    source=RULE_OF_THUMB,
    advice="resize masks by the nearest neighbour, and threshold them afterwards.",
    expected="the loss can fall to 0, and both metrics count whole pixels.",
    normal="with label smoothing, or soft masks of several experts.",
    explains=("loss.", "metric."),
)
EMPTY = Limit(
    "labels.empty",
    "the masks of one set",
    ill="hold no foreground at all",
    source="arithmetic: without a positive pixel every Jaccard but of an empty answer is 0",
    advice="look at the masks of that set: path, channel and threshold, and how the set was split.",
    expected="its share of foreground becomes that of the other set, and its metric means something.",
    normal="in a set that was made of images without the object.",
    explains=("loss.", "metric.", "stability"),
    alone=True,
)
MISSING = Limit(
    "labels.missing",
    "masks without foreground",
    ill=f"are more frequent by {MORE:.0%} of the images in one set, and the training is not well",
    source=RULE_OF_THUMB,
    advice="look at images without a mask in that set: annotation that was not finished, files that were not found.",
    expected="both sets have as many images without foreground, and their metrics agree.",
    refuted="these images do show none of the objects.",
    explains=("loss.", "metric.", "stability"),
)
LIMITS = (SCALE, FRACTIONAL, EMPTY, MISSING)
NEEDS = (Need(("target_min", "target_max", "target_fractional", "foreground"), "BatchMonitor"),)

_OF_MASKS = ("crossentropy", "cross_entropy", "focal", "dice", "jaccard", "iou", "tversky", "lovasz")
_SETS = {"": "training", "val_": "validation"}
_CODED = {"labels.scale": SCALE, "labels.fractional": FRACTIONAL}


def _are_masks(evidence: Evidence) -> bool:
    """By the metric or the loss; the targets of a regression may be anything."""
    loss = str(evidence.told("loss", "name")).lower()
    if "boundary" in loss:  # whose targets are masks and their distances
        return False
    return evidence.is_overlap or any(part in loss for part in _OF_MASKS)


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on each set whose masks are none; without a record, what our metrics warned of."""
    looked_at: set[str] = set()
    for prefix, words in _SETS.items() if _are_masks(evidence) else ():
        codes, findings = _of_one_set(evidence, prefix, words)
        looked_at |= codes
        yield from findings
    yield from _missing(evidence)
    yield from _warned(evidence, looked_at)


def _of_one_set(evidence: Evidence, prefix: str, words: str) -> tuple[set[str], list[Finding]]:
    """What the masks of a set are, and the codes of warnings that this says better, or answers."""
    keys = ("target_min", "target_max", "target_fractional", "foreground")
    found = evidence.recorded(*(f"{prefix}{key}" for key in keys))
    if found is None or not all(np.isfinite(array).any() for array in found[:3]):
        return set(), []
    low, high, fractional, foreground = (array[np.isfinite(array)] for array in found)
    soft, sparse = bool((fractional > SOFT).any()), "sparse" in str(evidence.told("loss", "name"))
    name, most = f"{words} masks", number(high.max())
    codes: set[str] = set()
    findings: list[Finding] = []
    if (low.min() < 0 or high.max() > max(1, _classes(evidence) - 1)) and not sparse and not soft:
        codes = {SCALE.code}
        text = f"the {name} hold values from {number(low.min())} to {most}"
        findings.append(SCALE.finding("ill", name, text, f"its {name} reach {most} instead of 1", confidence="high"))
    elif _smoothed(low, high):
        codes = {FRACTIONAL.code}
    elif soft:
        text = f"{fractional.max():.0%} of the values of the {name} lie between whole numbers"
        if high.max() < 1:
            codes = {SCALE.code, FRACTIONAL.code}
            text, why = f"{text}, and none reaches 1 (at most {most})", f"its {name} reach {most} instead of 1"
            findings.append(SCALE.finding("watch", name, text, why, confidence="high"))
        else:
            codes = {FRACTIONAL.code}
            confidence = "medium" if fractional.max() > MUCH else "low"
            findings.append(FRACTIONAL.finding("ill", name, text, f"its {name} are soft", confidence=confidence))
    if len(foreground) and foreground.max() == 0 and high.max() <= 0:
        text = f"the {name} hold no foreground"
        findings.append(EMPTY.finding("ill", name, text, f"its {name} hold no foreground", confidence="high"))
    return codes, findings


def _warned(evidence: Evidence, looked_at: set[str]) -> Iterator[Finding]:
    """What our metrics warned of, once, where the record says nothing of it."""
    told = set(looked_at)
    for event in evidence.events:
        limit = _CODED.get(str(event.get("code")))
        if limit is not None and limit.code not in told and event.get("kind") == "warning":
            told.add(limit.code)
            level = "ill" if limit is SCALE else "watch"
            text = str(event.get("message") or "a metric warned of them")
            yield limit.finding(level, "masks", text, "its masks are no masks", confidence="high")


def _smoothed(low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether labels were smoothed on purpose: no value is 0, none is 1, and the classes are still told apart."""
    return bool(low.min() > 0 and 0.5 < high.max() < 1)


def _classes(evidence: Evidence) -> int:
    """Channels of the output, of which whole numbers below may be the indices, whatever the loss is called."""
    shape = evidence.told("output_shape")
    channels = shape[-1] if isinstance(shape, list) and shape else None
    return channels if isinstance(channels, int) else 1


def _missing(evidence: Evidence) -> Iterator[Finding]:
    found = evidence.recorded("empty", "val_empty") if _are_masks(evidence) else None
    if found is None or not all(np.isfinite(array).any() for array in found):
        return
    trained, validated = (float(np.nanmedian(array)) for array in found)
    if abs(trained - validated) > MORE and max(trained, validated) < 1:
        text = f"{trained:.0%} of the training masks and {validated:.0%} of the validation masks hold no foreground"
        yield MISSING.finding("ill", "masks", text, "masks of one set are missing", confidence="medium")
