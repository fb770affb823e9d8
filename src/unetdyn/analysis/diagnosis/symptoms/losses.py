"""Whether the losses fell, below what a constant answer costs, and how much of that is left at the end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES, NOTHING, ending, never_left, noise
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share, times
from unetdyn.analysis.diagnosis.symptoms.metric_level import FEW, learned
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

# Share of its fall that a loss has regained at the end: watch, ill. 1 is back where it began.
# A validation loss often rises while the metric still does: that is overfitting, which has a rule of its own.
GIVEN_BACK = {"loss": (0.5, 1.0), "val_loss": (1.0, 10.0)}
CONSTANT = 0.9  # of the loss of the best constant answer: above it, nothing was learned
SOON = 5  # epochs before which a loss that did not fall says nothing


_LOWER = "a lower learning rate, or one that decays; and keep the weights of the best epoch."
_STAYS = "the loss stays near its lowest value."
_REGAINS = {
    "loss": "where the loss, its weights or the data were changed on purpose while training went on.",
    "val_loss": "where the metric stays: cross-entropy rises as the network gets surer, right or wrong.",
}


def _words(name: str) -> str:
    return readable(name) if name != "loss" else "training loss"


def _rose(name: str) -> Limit:
    watch, ill = (f"rose again by {_as_much(part)} it had fallen" for part in GIVEN_BACK[name])
    return Limit("loss.rose", f"the {_words(name)}", watch, ill, advice=_LOWER, expected=_STAYS, normal=_REGAINS[name])


def _as_much(part: float) -> str:
    return "all that" if part == 1 else f"{share(part)} of what" if part < 1 else f"{times(part)} what"


_STAYED = (
    f"stayed within {share(LITTLE)} and within {times(NOISE_SCALES)} its noise, or {share(NOTHING)}, of where it began"
)
_LEARN_FIRST = "find out first whether the network can learn at all: train on two images until it knows them by heart."
_BEGAN_WELL = "where the training began with weights that were trained before."

NOT_FINITE = Limit(
    "loss.nonfinite",
    "the loss or the validation loss",
    ill="is no number at the end",
    advice="look for NaN in images and masks, then take a lower learning rate.",
    expected="the loss is a number in every epoch.",
    normal="never of the training loss; of the validation loss where a validation set is empty.",
)
CONSTANT_ANSWER = Limit(
    "loss.constant",
    "the training loss",
    ill=f"never fell below {CONSTANT:g} of what the best constant answer costs",
    advice=_LEARN_FIRST,
    expected="the training loss of two images falls to near 0.",
    normal="in the first epochs of a long training with few positive pixels; an observation where the metric is far "
    "from a constant answer's, as of a focal loss whose probabilities keep near ½.",
)
_FALLS = "the training loss falls in the first epochs."
_COMPARE = "look whether both sets were made and normalised alike; compare the two modes of the network on one set."
_FOLLOWS = "the validation loss falls with the training loss."
FLAT = {
    "loss": Limit(
        "loss.flat", "the training loss", ill=_STAYED, advice=_LEARN_FIRST, expected=_FALLS, normal=_BEGAN_WELL
    ),
    "val_loss": Limit(
        "loss.flat", "the validation loss", watch=_STAYED, advice=_COMPARE, expected=_FOLLOWS, normal=_BEGAN_WELL
    ),
}
ROSE = {name: _rose(name) for name in GIVEN_BACK}
FELL = Limit("loss.fell")
LIMITS = (NOT_FINITE, CONSTANT_ANSWER, *FLAT.values(), *ROSE.values(), FELL)

_NAME = "loss"


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on each loss that was logged; with few epochs, only NaN speaks against it."""
    for name in GIVEN_BACK:
        if name in evidence.curves:
            yield _descent(evidence, name, evidence.curves[name].values)


def _descent(evidence: Evidence, name: str, values: NDArray[np.float64]) -> Finding:
    """Whether a loss fell, and how much of that is left at the end; a rise within noise is none."""
    words, last = _words(name), float(values[-1])
    if not np.isfinite(last):
        text, why = f"{words} {last} at the end", f"its {words} is not finite at the end"
        return NOT_FINITE.finding("ill", _NAME, text, why, curves=[name])
    finite = values[np.isfinite(values)]
    first, lowest, end = float(finite[0]), float(finite.min()), ending(values)
    text = f"{words} {number(first)} at first, {number(lowest)} at best, {number(last)} at the end"
    if len(values) < SOON or (name == "loss" and evidence.goes_on):
        return FELL.finding("unknown", _NAME, text)
    constant = _constant(evidence, "" if name == "loss" else "val_")
    learned = constant is not None and lowest <= CONSTANT * constant
    if name == "loss" and constant is not None and not learned and not evidence.penalised:
        text += f"; the best constant answer costs {number(constant)}"
        why = f"its training loss ({number(lowest)}) is no better than a constant answer's ({number(constant)})"
        level = "info" if _masks_are_learned(evidence) else "ill"
        return CONSTANT_ANSWER.finding(level, _NAME, text, why, curves=[name])
    if len(values) >= evidence.window and end - lowest > NOISE_SCALES * noise(values):
        given_back = (end - lowest) / (first - lowest) if first > lowest else float("inf")
        level = graded(given_back, *GIVEN_BACK[name])
        why = f"its {words} rose from {number(lowest)} to {number(end)} at the end"
        return ROSE[name].finding(level, _NAME, text, why, curves=[name])
    if len(values) >= evidence.window and never_left(values, lowest) and not learned and not _began_elsewhere(evidence):
        level = "ill" if FLAT[name].ill else "watch"
        return FLAT[name].finding(level, _NAME, text, f"its {words} never fell by more than noise", curves=[name])
    return FELL.finding("good", _NAME, text, curves=[name])


def _masks_are_learned(evidence: Evidence) -> bool:
    """Whether the metric is far from a constant answer's: then probabilities are only less sure than they might be."""
    best = None if evidence.watched_metric is None else evidence.curves.best(evidence.watched_metric[0])
    if best is None or evidence.watched_metric is None:
        return False
    far = learned(evidence, float(evidence.watched_metric[1].values[best]))
    return far is not None and FEW < far[0] < 1


def _began_elsewhere(evidence: Evidence) -> bool:
    """Whether the weights were trained before: such a loss has no way to go."""
    return evidence.carried_on or evidence.began_well or evidence.loss_since > 0


def _constant(evidence: Evidence, prefix: str) -> float | None:
    """What the best constant answer costs on that set; None where that is not known, or nothing."""
    recorded = evidence.constant_loss(prefix)
    if recorded is None:
        return None
    median = finite_median(recorded)
    return median if median > 0 else None
