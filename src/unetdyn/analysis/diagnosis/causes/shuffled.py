"""Masks that do not belong to their images: nothing can be learned but by heart."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

LITTLE = 0.5  # training metric below which the masks were not learned, though the updates are of a usual size
NEAR = 0.7  # of the loss of a constant answer, above which little was learned

LIMIT = Limit(
    "labels.shuffled",
    "the masks",
    watch=f"are not learned: a training loss above {NEAR:g} of a constant answer's, with usual updates and outputs "
    "that differ from pixel to pixel",
    source=RULE_OF_THUMB,
    advice="look at ten training images with their masks laid over them, as the network gets them.",
    expected="where masks and images belong together, the training loss of two images falls to near 0.",
    refuted="the masks lie on their objects.",
    normal="in a task that is hard, or in the first epochs.",
    explains=(
        "metric.nothing",
        "metric.low",
        "metric.gap",
        "metric.flat",
        "loss.constant",
        "loss.flat",
        "training.short",
    ),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("constant_loss",), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where a network that moves and answers learns nothing of its own training set."""
    constant, loss = evidence.recorded("constant_loss"), evidence.values("loss")
    if constant is None or not np.isfinite(constant[0]).any() or len(loss) < 5 or not evidence.is_overlap:
        return
    best, end = float(np.nanmedian(constant[0])), ending(loss)
    trained = ending(evidence.values(str(evidence.metric)))
    if best > 0 and NEAR * best < end < 3 * best and not trained > LITTLE:
        text = (
            f"training loss {number(end)} at the end, where a constant answer costs {number(best)}; training metric "
            f"{number(trained)}"
        )
        why = "its masks can't be learned from its images"
        yield LIMIT.finding("ill", "masks and images", text, why, confidence="low", curves=["loss"])
