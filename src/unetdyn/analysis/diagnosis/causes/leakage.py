"""A validation that flatters: far better than the test, or better than training throughout."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

BELOW = 0.2  # part of the validation metric at the end that the test's lacks; the best one is a lucky one
BETTER = 0.8  # share of the epochs in which validation is better than training

TEST = Limit(
    "leakage",
    "the test's metric",
    watch=f"lacks {BELOW:.0%} of the validation's at the end",
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
    end = ending(values)
    if test is not None and end > 0 and test < (1 - BELOW) * end:
        text = f"test {number(test)}, {readable(logged)} {number(end)} at the end"
        why = f"its test ({number(test)}) is far below its validation ({number(end)})"
        yield TEST.finding("watch", "test", text, why, confidence="medium", curves=[logged])
    trained = evidence.values(evidence.metric)
    if len(trained) == len(values) > 4 and np.mean(values > trained) >= BETTER:
        text = f"{readable(logged)} is above the training's in {np.mean(values > trained):.0%} of the epochs"
        yield BETTER_THAN_TRAINING.finding("info", "validation", text, curves=[evidence.metric, logged])
