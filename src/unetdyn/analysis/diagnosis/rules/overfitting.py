"""Whether the validation loss rose while the training loss fell on."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import overfitting
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.result import epoch, number

LIMIT = Limit(
    "overfitting",
    "the validation loss",
    watch="rose by more than noise does while the training loss fell",
    source="a simulation of noise, see `unetdyn.analysis.overfitting`",
)
LIMITS = (LIMIT,)

_NAME = "overfitting"


def find(evidence: Evidence) -> Iterator[Finding]:
    """From when on it overfits, and the gap between the losses."""
    if not evidence.has_loss:
        return
    found = overfitting(evidence.curves, evidence.window)
    gap = f"; validation − training loss {number(found.gap)}" if np.isfinite(found.gap) else ""
    if found.onset is not None:
        since = f"from epoch {epoch(found.onset)}"
        yield LIMIT.finding("watch", _NAME, since + gap, f"it overfits {since}")
    elif found.determined:
        yield LIMIT.finding("good", _NAME, f"no onset found{gap}")
    else:
        yield LIMIT.finding("unknown", _NAME, found.reason)
