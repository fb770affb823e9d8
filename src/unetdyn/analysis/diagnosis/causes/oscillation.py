"""Whether the metric swings more than noise does."""

from collections.abc import Iterator

from unetdyn.analysis import oscillation
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.result import number

LIMIT = Limit(
    "metric.oscillation",
    source="a significance test, see `unetdyn.analysis.oscillation`",
    normal="in 3 % of the curves with a step, such as a drop of the learning rate, and in half of those that take off "
    "halfway (docs/analysis.md).",
)
LIMITS = (LIMIT,)

_NAME = "oscillation"


def find(evidence: Evidence) -> Iterator[Finding]:
    """What swings there are around the metric's trend."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    found = oscillation(curve.values, curve.epochs)
    if not found.determined:
        yield LIMIT.finding("unknown", _NAME, found.reason)
    elif found.kind is None:
        yield LIMIT.finding("good", _NAME, "none beyond noise")
    else:
        how = "zigzags from epoch to epoch" if found.kind == "zigzag" else f"swings every {number(found.period)} epochs"
        text = f"{how}, by {number(found.scatter)} around its trend"
        yield LIMIT.finding("info", _NAME, text, curves=[logged])
