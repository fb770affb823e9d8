"""Collapse to background: the network answers background everywhere, since that is nearly always right."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.robust import finite_median

LEARNED = 0.7  # of a constant answer's loss: below it, the network knows where the object is
PART = 0.05  # of the true foreground that is answered
ACCURATE = 0.9

LIMIT = Limit(
    "background",
    "the network",
    ill=f"answers less than {PART:g} as many pixels as foreground as there are, at the end",
    source=RULE_OF_THUMB,
    advice="a loss that weighs the object: focal loss with α near 0.75, Dice or Jaccard loss, or class weights.",
    expected="the share of pixels above the threshold rises to that of the foreground.",
    refuted="the best threshold finds the object (`ThresholdFlipMonitor`): then it is a matter of the threshold.",
    explains=(
        "metric.nothing",
        "metric.low",
        "metric.flat",
        "metric.falls",
        "metric.end",
        "loss.constant",
        "loss.flat",
    ),
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """By the share of pixels above the threshold; without a record, by an accuracy beside a metric of 0."""
    for prefix in ("val_", ""):
        found = evidence.recorded(f"{prefix}above", f"{prefix}foreground", "epoch")
        if found is None or not np.isfinite(found[0]).any():
            continue
        above, foreground, epochs = found
        none = (above < PART * foreground) & (foreground > 0)
        if none[np.isfinite(above)][-1]:
            text = (
                f"{above[none][-1]:.2%} of the pixels are answered as foreground, where {foreground[none][-1]:.1%} are"
            )
            why = "it answers background everywhere"
            confidence = "medium" if _learned(evidence) else "low"
            yield LIMIT.finding("ill", "answers", text, why, confidence=confidence, epochs=spans(epochs[none].tolist()))
        return
    if evidence.watched_metric is None or not evidence.is_overlap:
        return
    values = evidence.watched_metric[1].values
    accuracy = next(
        (evidence.values(name) for name in ("val_binary_accuracy", "val_accuracy") if name in evidence.curves), None
    )
    if accuracy is not None and len(accuracy) and accuracy[-1] > ACCURATE and values[-1] < PART:
        text = f"accuracy {accuracy[-1]:.2f} beside an overlap of {values[-1]:.2f} at the end"
        yield LIMIT.finding("ill", "answers", text, "it answers background everywhere", confidence="low")


def _learned(evidence: Evidence) -> bool:
    """Whether the training loss is far below a constant answer's: then it is a matter of balance."""
    constant = evidence.constant_loss()
    return constant is not None and ending(evidence.values("loss")) < LEARNED * finite_median(constant)
