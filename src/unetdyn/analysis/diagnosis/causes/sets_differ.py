"""A validation set that is unlike the training's: other intensities, another share of foreground."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes.statistics_lag import MODES, can_lag, modes_apart
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

SHIFT = 0.3  # of the training inputs' standard deviation, by which the means may differ
SCALE = 1.25  # times, by which the standard deviations may differ
FAR_SHIFT, FAR_SCALE = 0.5, 1.5  # the same, so far that it is no matter of chance
OFTEN = 0.3  # share of the epochs in which the two modes of the network must disagree on the probe images
SHARE = 2.5  # times, by which the shares of foreground may differ

LIMIT = Limit(
    "sets.differ",
    "validation images",
    ill=f"differ in mean by {SHIFT:g} standard deviations, in standard deviation {SCALE:g}-fold, or in foreground "
    f"{SHARE:g}-fold, or the two modes of the network differ on the probe images in {OFTEN:.0%} of the epochs though "
    "moving statistics can't lag, and the training is not well",
    source=RULE_OF_THUMB,
    advice="normalise both sets by one function with the training set's numbers; split so that sources are mixed.",
    expected="validation follows training.",
    refuted="the loss of a few training images in inference mode is as bad: then it is no matter of the sets.",
    normal="where the validation is meant to be another domain.",
    explains=("metric.", "loss.rose", "loss.flat", "stability", "validation.behind"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("input_mean", "val_input_mean"), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What differs, if anything does."""
    keys = ("input_mean", "input_std", "foreground")
    found = evidence.recorded(*keys, *(f"val_{key}" for key in keys))
    if found is None or not all(np.isfinite(array).any() for array in found):
        return
    mean, std, share, val_mean, val_std, val_share = (float(np.nanmedian(array)) for array in found)
    texts = []
    if std > 0 and abs(val_mean - mean) > SHIFT * std:
        texts.append(f"inputs have mean {number(mean)} in training, {number(val_mean)} in validation")
    if min(std, val_std) > 0 and max(std, val_std) > SCALE * min(std, val_std):
        texts.append(f"inputs have standard deviation {number(std)} in training, {number(val_std)} in validation")
    if min(share, val_share) > 0 and max(share, val_share) > SHARE * min(share, val_share):
        texts.append(f"foreground is {share:.1%} in training, {val_share:.1%} in validation")
    apart = _modes_apart(evidence)
    if apart:
        texts.append(f"probe images are answered well by their own statistics, and not by the training's: {apart}")
    if texts:
        far = abs(val_mean - mean) > FAR_SHIFT * std > 0 or max(std, val_std) > FAR_SCALE * min(std, val_std) > 0
        confidence = "high" if far or (apart and len(texts) > 1) else "medium"
        why = "its validation set is unlike its training set"
        yield LIMIT.finding("ill", "the two sets", "; ".join(texts), why, confidence=confidence)


def _modes_apart(evidence: Evidence) -> str:
    """How far the two modes are apart on the probe, where there are moving statistics, and that is no lag of theirs."""
    measured = evidence.recorded(*MODES)
    if measured is None or not evidence.batch_norms or can_lag(evidence):
        return ""
    apart = modes_apart(*measured)
    if apart.sum() < max(2, OFTEN * np.isfinite(measured[0]).sum()):
        return ""
    return f"Jaccard {number(finite_median(measured[2][apart]))} and {number(finite_median(measured[3][apart]))}"
