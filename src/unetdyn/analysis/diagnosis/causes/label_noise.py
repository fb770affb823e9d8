"""Masks that are wrong in part: the training loss stays far above 0, or validation is first better than training."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes.shuffled import approaching, raised, tiny
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
SOON = 5  # epochs before which the order of learning says nothing

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

_NAME, _WHY = "masks", "some of its masks seem to be wrong"


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, by the floor of the training loss or by the order in which things were learned."""
    if not evidence.is_overlap:
        return
    if text := _first_better(evidence):
        curves = [str(evidence.metric), f"val_{evidence.metric}"]
        yield LIMIT.finding("ill", _NAME, text, _WHY, confidence="medium", curves=curves)
        return
    constant, end = evidence.constant_loss(), ending(evidence.values("loss"))
    floor = float("nan") if constant is None else FLOOR * finite_median(constant)
    if (
        end > floor
        and ending(evidence.values(str(evidence.metric))) < KNOWN
        and not tiny(evidence)
        and not raised(evidence)
        and not approaching(evidence.values("loss"), floor / FLOOR)
    ):
        text = f"training loss {number(end)} at the end, where a constant answer costs {number(floor / FLOOR)}"
        yield LIMIT.finding("ill", _NAME, text, _WHY, confidence="low", curves=["loss"])


def _first_better(evidence: Evidence) -> str:
    """How far validation was ahead of training at its best, and what it lost of that; empty where it was or did not."""
    names = (str(evidence.metric), f"val_{evidence.metric}")
    if not set(names) <= set(evidence.curves):
        return ""
    curve, of_validation = (evidence.curves[name] for name in names)
    epochs, at, val_at = np.intersect1d(curve.epochs, of_validation.epochs, return_indices=True)
    trained, validated = curve.values[at], of_validation.values[val_at]
    known = np.isfinite(trained) & np.isfinite(validated)
    if known.sum() < SOON or validated[known].max() <= 0:
        return ""
    epochs, trained, validated = epochs[known], trained[known], validated[known]
    best = int(validated.argmax())
    ahead, lost = float(validated[best] - trained[best]), 1 - ending(validated) / float(validated[best])
    if not (ahead > BETTER and lost > LOST):
        return ""
    when = f"in epoch {epoch(int(epochs[best]))}"
    return f"validation was {number(ahead)} better than training {when}, and lost {lost:.0%} of its best"
