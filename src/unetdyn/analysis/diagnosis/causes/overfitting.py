"""Overfitting, with its onset: the validation loss rises while the training loss falls."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import overfitting
from unetdyn.analysis.diagnosis.change import ending
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.diagnosis.symptoms.gap import FAR
from unetdyn.analysis.result import epoch, number

KNOWN_BY_HEART = 0.9  # training metric from which a gap alone speaks for it

LIMIT = Limit(
    "overfitting",
    "the validation loss",
    ill="rose by more than noise does while the training loss fell, or is above the training's where the training "
    f"metric reached {KNOWN_BY_HEART:g} and the validation's ended {FAR:.0%} below it, and the training is not well",
    source="a simulation of noise, see `unetdyn.analysis.overfitting`",
    advice="keep the weights of the best epoch; more or augmented training images, dropout, fewer filters.",
    expected="the validation metric keeps its best, and the gap shrinks.",
    normal="where the metric stays: cross-entropy rises as the network gets surer, right or wrong.",
    explains=("metric.end", "metric.gap", "metric.low", "loss.rose"),
)
LIMITS = (LIMIT,)

_NAME = "overfitting"


def find(evidence: Evidence) -> Iterator[Finding]:
    """From when on it overfits, and the gap between the losses."""
    if not evidence.has_loss:
        return
    found = overfitting(evidence.curves, evidence.window)
    gap = f"; validation − training loss {number(found.gap)}" if np.isfinite(found.gap) else ""
    trained = evidence.values(str(evidence.metric))
    by_heart = evidence.metric_rises and len(trained) and float(np.nanmax(trained, initial=0)) > KNOWN_BY_HEART
    # Validation that was behind and came up knows other reasons; who knows images by heart falls further behind.
    by_heart = by_heart and ending(evidence.values(f"val_{evidence.metric}")) < (1 - FAR) * ending(trained)
    if found.onset is not None:
        since, last = f"from epoch {epoch(found.onset)}", int(evidence.curves["val_loss"].epochs[-1])
        yield LIMIT.finding(
            "ill", _NAME, since + gap, f"it overfits {since}", confidence="medium", epochs=[(found.onset, last)],
            curves=["loss", "val_loss"],
        )  # fmt: skip
    elif by_heart and np.isfinite(found.gap) and found.gap > 0:
        text = f"training reaches {number(float(np.nanmax(trained)))}{gap}"
        yield LIMIT.finding("ill", _NAME, text, "it knows its training images by heart", confidence="medium")
    elif found.determined:
        yield LIMIT.finding("good", _NAME, f"no onset found{gap}")
    else:
        yield LIMIT.finding("unknown", _NAME, found.reason)
