"""Masks that say the opposite in one set: the share of foreground of training and validation."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

MIRRORED = 0.1  # how near to 1 − its share the other set's must be
APART = 0.2  # and how far from 1/2, where both say the same

INVERTED = Limit(
    "labels.inverted",
    "the masks of one set",
    ill="have as much foreground as the other's have background, and the training is not well",
    source=RULE_OF_THUMB,
    advice="invert the masks of the set whose foreground is the larger, if the object is the smaller part.",
    expected="validation follows training from the first epochs on.",
    refuted="the images of that set are full of the object.",
    explains=("loss.", "metric.", "stability"),
)
LIMITS = (INVERTED,)
NEEDS = (Need(("foreground", "val_foreground"), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where both shares are known and one is the other's mirror image."""
    found = evidence.recorded("foreground", "val_foreground")
    if found is None or not all(np.isfinite(array).any() for array in found):
        return
    trained, validated = (float(np.nanmedian(array)) for array in found)
    if abs(trained - (1 - validated)) < MIRRORED and abs(trained - 0.5) > APART:
        text = f"foreground {trained:.0%} of the training masks, {validated:.0%} of the validation masks"
        why = f"the masks of one set are inverted (foreground {trained:.0%} and {validated:.0%})"
        yield INVERTED.finding("ill", "masks", text, why, confidence="high")
