"""Masks that do not belong to their images: nothing can be learned but by heart."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.causes.learning_rate import SMALL
from unetdyn.analysis.diagnosis.causes.overfitting import KNOWN_BY_HEART
from unetdyn.analysis.diagnosis.causes.statistics_lag import LOST
from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.diagnosis.symptoms.metric_level import NONE
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

HEART = 0.3  # training metric from which masks were learned
LITTLE = 0.5  # training metric below which the masks were not learned, though the updates are of a usual size
LONG, FALLING = 1.25, 0.1  # of a constant answer's loss in the middle third of the epochs; what the last one brought
NEAR = 0.85  # of the loss of a constant answer, above which little was learned

LIMIT = Limit(
    "labels.shuffled",
    "the masks",
    ill=f"are learned by heart (training above {HEART:g}) while validation, answered alike in both modes, is no better "
    f"than a constant answer, or are not learned: a training loss above {NEAR:g} of a constant answer's",
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
    ),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("constant_loss",), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where a network that moves learns nothing of its own training set, or nothing but that."""
    constant, loss = evidence.constant_loss(), evidence.values("loss")
    if constant is None or not np.isfinite(constant).any() or len(loss) < 5 or not evidence.is_overlap:
        return
    best, end = float(np.nanmedian(constant)), ending(loss)
    trained = ending(evidence.values(str(evidence.metric)))
    if by_heart(evidence, trained):
        text = f"training reaches {number(trained)}, and validation is no better than a constant answer in either mode"
        why = "what it learned of its training masks holds for no other image"
        yield LIMIT.finding("ill", "masks and images", text, why, confidence="medium", curves=[str(evidence.metric)])
    elif raised(evidence) or tiny(evidence) or approaching(loss, best):
        return
    elif best > 0 and NEAR * best < end < 3 * best and not trained > LITTLE:
        text = (
            f"training loss {number(end)} at the end, where a constant answer costs {number(best)}; training metric "
            f"{number(trained)}"
        )
        why = "its masks can't be learned from its images"
        yield LIMIT.finding("ill", "masks and images", text, why, confidence="low", curves=["loss"])


def by_heart(evidence: Evidence, trained: float) -> bool:
    """Whether training got far while validation never left the constant answer, however it is answered."""
    validated, constant = evidence.values(f"val_{evidence.metric}"), evidence.recorded("val_constant_jaccard")
    if not HEART < trained < KNOWN_BY_HEART or not len(validated) or constant is None:
        return False
    chance = finite_median(constant[0])
    modes = evidence.recorded("training_jaccard", "inference_jaccard")
    alike = modes is None or not finite_median(modes[0][-3:]) > finite_median(modes[1][-3:]) + LOST
    return bool(ending(validated) < chance + NONE * (1 - chance)) and alike


def raised(evidence: Evidence) -> bool:
    """Whether a penalty or smoothed labels keep the training loss up, whatever is learned."""
    return evidence.penalised or bool(evidence.told_number("loss", "config", "label_smoothing"))


def approaching(loss: NDArray[np.float64], constant: float) -> bool:
    """Whether the loss has long been above a constant answer's and still comes down: masks stop no network there.

    >>> approaching(np.linspace(0.7, 0.3, 12), 0.33), approaching(np.array([0.7, 0.4, 0.33, 0.33, 0.32, 0.32]), 0.33)
    (True, False)
    """
    finite = loss[np.isfinite(loss)]
    middle = finite[len(finite) // 3 : -len(finite) // 3]
    return len(middle) > 0 and bool(np.median(middle) > max(LONG * constant, ending(finite) / (1 - FALLING)))


def tiny(evidence: Evidence) -> bool:
    """Whether updates are so small that nothing can have been learned yet."""
    return finite_median(evidence.values("update_ratio_log10")) < np.log10(SMALL)
