"""How far validation lies behind training, by the metric."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, share
from unetdyn.analysis.diagnosis.symptoms._few_images import for_few_images
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

# Part of the training's metric that the validation's lacks at the end: where a cause is certain, and anyway.
SOME, FAR, VERY_FAR = 0.25, 0.45, 0.6
BEHIND, OFTEN = 1 / 3, 0.3  # an epoch counts whose validation is below a third of training; so many of them are ill
KNOWN, SOON = 0.2, 3  # from this training metric on, and this epoch, there is something to compare

LIMIT = Limit(
    "metric.gap",
    "the validation metric",
    watch=f"lacks {share(FAR)} of the training's at the end",
    ill=f"lacks {share(VERY_FAR)} of the training's at the end, or lay below {share(BEHIND)} of it in {share(OFTEN)} "
    f"of the epochs, {SOON} at least",
    normal="with so few training images that the network knows them by heart.",
    advice="look whether both sets were made and normalised alike; compare the two modes of the network on one set.",
    expected="validation follows training.",
)
SLIGHT = Limit(
    "validation.behind",
    normal="in any training that goes on until it knows its images by heart.",
    source=f"{RULE_OF_THUMB}: {share(SOME)} of the training's metric at the end, or below {share(BEHIND)} of it in "
    f"{SOON} epochs",
    slight=True,
)
LIMITS = (LIMIT, SLIGHT)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where both were logged and more is better."""
    if evidence.metric is None or not evidence.metric_rises or evidence.metric not in evidence.curves:
        return
    logged, curve = f"val_{evidence.metric}", evidence.curves[evidence.metric]
    if logged not in evidence.curves:
        return
    epochs, at, val_at = np.intersect1d(curve.epochs, evidence.curves[logged].epochs, return_indices=True)
    trained, validated = curve.values[at], evidence.curves[logged].values[val_at]
    end, val_end = ending(trained), ending(validated)
    if len(epochs) < SOON or not end > KNOWN:
        yield LIMIT.finding("unknown", "gap", "training itself has not got far enough to compare")
        return
    lacking, known = 1 - val_end / end, trained > KNOWN
    behind = known & (validated < BEHIND * trained)
    level = graded(lacking, FAR, VERY_FAR)
    often = behind.sum() >= max(OFTEN * known.sum(), SOON)
    text = f"training {number(end)}, validation {number(val_end)} at the end"
    why = f"its {readable(logged)} ends at {number(val_end)} beside {number(end)} in training"
    if behind.sum() >= SOON:
        text += f"; below {share(BEHIND)} of the training's in {behind.sum()} of {known.sum()} epochs"
        why = f"its {readable(logged)} lay below {share(BEHIND)} of the training's in {behind.sum()} epochs"
    where = spans(epochs[behind].tolist()) if behind.any() else [(int(epochs[0]), int(epochs[-1]))]
    level = "ill" if often else level
    found = LIMIT.finding(level, "gap", text, why, epochs=where, curves=[evidence.metric, logged])
    yield for_few_images(evidence, found)
    if level == "good" and (lacking > SOME or behind.sum() >= SOON):
        yield for_few_images(evidence, SLIGHT.finding("info", "gap", text, why, curves=[evidence.metric, logged]))
