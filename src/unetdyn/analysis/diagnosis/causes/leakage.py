"""A validation that flatters: far better than the test, or better than training throughout."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

BELOW = 0.2  # part of the best validation metric that the test's lacks
BETTER = 0.8  # share of the epochs in which validation is better than training

TEST = Limit(
    "leakage",
    "the test's metric",
    watch=f"lacks {BELOW:.0%} of the best validation's",
    source=RULE_OF_THUMB,
    advice="split by section, volume or patient, not by tile; then validation says what a test will say.",
    expected="validation and test agree; the validation gets worse, not the network.",
    refuted="the test set was made on another microscope or from another tissue: then it is another domain.",
    alone=True,
)
BETTER_THAN_TRAINING = Limit(
    "leakage.possible",
    source=RULE_OF_THUMB,
    normal="with dropout, augmentation or a rising curve: training's is a mean over the epoch, in training mode.",
)
LIMITS = (TEST, BETTER_THAN_TRAINING)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the test says, and an observation where validation is the better."""
    if evidence.metric is None or not evidence.metric_rises or f"val_{evidence.metric}" not in evidence.curves:
        return
    logged = f"val_{evidence.metric}"
    values, test = evidence.values(logged), evidence.tested.get(evidence.metric)
    best = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    if test is not None and best > 0 and test < (1 - BELOW) * best:
        text = f"test {number(test)}, best {readable(logged)} {number(best)}"
        why = f"its test ({number(test)}) is far below its validation ({number(best)})"
        yield TEST.finding("watch", "test", text, why, confidence="medium", curves=[logged])
    trained = evidence.values(evidence.metric)
    if len(trained) == len(values) > 4 and np.mean(values > trained) >= BETTER:
        text = f"{readable(logged)} is above the training's in {np.mean(values > trained):.0%} of the epochs"
        yield BETTER_THAN_TRAINING.finding("info", "validation", text, curves=[evidence.metric, logged])
