"""Masks that are wrong in part: the training loss stays far above 0, or validation is first better than training."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes.shuffled import raised, tiny
from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import epoch, number
from unetdyn.analysis.robust import finite_median

FLOOR = 0.35  # of a constant answer's loss, above which the training loss stays
KNOWN = 0.7  # training metric below which its masks are not known by heart
# By which validation at its best is better than training, and the part of that best that is lost at the end.
BETTER, LOST = 0.05, 0.1

LIMIT = Limit(
    "labels.noise",
    "the masks",
    ill=f"are learned in part: the training loss stays above {FLOOR:g} of a constant answer's, and the training "
    f"metric below {KNOWN:g}; or validation was better than training by {BETTER:g} at its best and lost {LOST:.0%} of "
    "that best, and the training is not well",
    source=f"{RULE_OF_THUMB}; networks learn what is consistent first and noise by heart later: Arpit et al., A closer "
    "look at memorization in deep networks (2017)",
    advice="look at ten training images with their masks laid over them, those of the highest loss first.",
    expected="with mended masks the training loss falls further, and validation keeps its best.",
    refuted="the masks of the images with the highest loss are right.",
    normal="in a task that is hard, in a short training, and with strong augmentation or dropout.",
    explains=("metric.nothing", "metric.low", "metric.gap", "metric.end", "metric.falls", "metric.jumps", "loss."),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("constant_loss",), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, by the floor of the training loss or by the order in which things were learned."""
    if not evidence.is_overlap:
        return
    trained, validated = (evidence.values(f"{prefix}{evidence.metric}") for prefix in ("", "val_"))
    if len(trained) == len(validated) > 4 and np.isfinite(validated).any():
        best = int(np.nanargmax(validated))
        ahead, lost = validated[best] - trained[best], 1 - ending(validated) / (validated[best] or 1)
        if ahead > BETTER and lost > LOST:
            text = (
                f"validation was {number(float(ahead))} better than training in epoch {epoch(best)}, and lost "
                f"{lost:.0%} of its best"
            )
            yield LIMIT.finding("ill", "masks", text, "some of its masks seem to be wrong", confidence="medium")
            return
    constant, end = evidence.recorded("constant_loss"), ending(evidence.values("loss"))
    floor = float("nan") if constant is None else FLOOR * finite_median(constant[0])
    if end > floor and ending(trained) < KNOWN and not tiny(evidence) and not raised(evidence):
        text = f"training loss {number(end)} at the end, where a constant answer costs {number(floor / FLOOR)}"
        yield LIMIT.finding(
            "ill", "masks", text, "some of its masks seem to be wrong", confidence="low", curves=["loss"]
        )
