"""A training that still gets better when it ends."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import theilslopes

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

STRONG = 0.2  # part of its best by which the metric rises over the last third of the epochs
LEAST = 4

LIMIT = Limit(
    "training.short",
    "the metric",
    watch=f"still rises by {STRONG:.0%} of its best over the last third of the epochs",
    source=f"{RULE_OF_THUMB}; the slope of Theil (1950) and Sen (1968), with its interval of 95 %",
    advice="more epochs, until the metric stands still for a third of them.",
    expected="the metric rises further.",
    normal="where the training was meant to be short.",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the metric still rises for certain."""
    if evidence.watched_metric is None or not evidence.metric_rises or evidence.status == "running":
        return
    logged, curve = evidence.watched_metric
    last = curve.values[-max(LEAST, len(curve.values) // 3) :]
    last = last[np.isfinite(last)]
    best = float(np.max(last, initial=0.0))
    if len(last) < LEAST or best <= 0:
        return
    slope, _, low, _ = theilslopes(last)
    rise = slope * (len(last) - 1)
    if (low > 0 or (np.diff(last) > 0).all()) and rise > STRONG * best:
        text = f"{readable(logged)} rose by {number(float(rise))} over the last {len(last)} epochs, to {number(best)}"
        why = f"it ended while its {readable(logged)} still rose"
        yield LIMIT.finding("watch", "length", text, why, curves=[logged])
