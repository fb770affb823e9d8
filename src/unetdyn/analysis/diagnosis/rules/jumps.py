"""How far the metric jumps from one epoch to the next at the end, about its rise."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.detrend import around_monotone
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share
from unetdyn.analysis.metric_names import readable

JUMPS, JUMPS_FAR = 0.05, 0.1  # median change of the metric from one epoch to the next, as a part of its best

LIMIT = Limit(
    "metric.jumps",
    "the metric",
    watch=f"jumps by {share(JUMPS)} of its best from epoch to epoch",
    ill=f"jumps by {share(JUMPS_FAR)} of its best from epoch to epoch",
)
LIMITS = (LIMIT,)

_NAME = "jumps"


def find(evidence: Evidence) -> Iterator[Finding]:
    """The median change about its rise between neighbours of the last window, as a part of its best."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    window = evidence.window
    values = curve.values[-window - 1 :]
    around = around_monotone(values[np.isfinite(values)], rising=evidence.curves.direction(logged) != "down")
    changes = np.abs(np.diff(around))
    best = evidence.curves.best(logged)
    if best is None or len(changes) < window // 2:
        yield LIMIT.finding("unknown", _NAME, f"{len(changes)} of the {window} changes that it needs")
    elif curve.values[best] == 0:
        yield LIMIT.finding("unknown", _NAME, "its best is 0, of which nothing is a part")
    else:
        part = float(np.median(changes) / abs(curve.values[best]))
        text = f"by {part:.1%} of the best about its rise from one epoch to the next (median of {len(changes)})"
        why = f"its {readable(logged)} jumps by {part:.0%} from epoch to epoch"
        yield LIMIT.finding(graded(part, JUMPS, JUMPS_FAR), _NAME, text, why)
