"""Sudden falls of the metric: one from which it recovered may be an accident, and early in a training says nothing."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import Collapse, collapses
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, share
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

BEGINNING = 0.1  # part of its best: a fall from below it, from which the metric recovered, is left out

LIMIT = Limit(
    "metric.collapses",
    "the metric",
    watch=f"collapsed once, from more than {share(BEGINNING)} of its best, and came back",
    ill="collapsed for good or more than once",
)
LIMITS = (LIMIT,)

_NAME = "collapses"


def find(evidence: Evidence) -> Iterator[Finding]:
    """How often the metric collapsed, and the deepest of these."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    found = collapses(curve.values, curve.epochs)
    finite = curve.values[np.isfinite(curve.values)]
    if not found and len(finite) < 2:
        yield LIMIT.finding("unknown", _NAME, "fewer than the 2 finite values that it needs")
        return
    if not found:
        yield LIMIT.finding("good", _NAME, f"none in {len(curve.values)} values")
        return
    begun = BEGINNING * float(finite.max())
    told = [event for event in found.events if not (event.finite and event.recovered and event.before < begun)]
    if not told:
        text = f"none but {_times(len(found))} in the beginning, below {number(begun)}"
        yield LIMIT.finding("good", _NAME, text)
        return
    level = "watch" if len(told) == 1 and told[0].recovered else "ill"
    text = f"{_times(len(told))}; the deepest: {max(told, key=_depth)}"
    yield LIMIT.finding(level, _NAME, text, f"its {readable(logged)} collapsed {_times(len(told))}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _depth(event: Collapse) -> float:
    return event.depth if event.finite else 1.0
