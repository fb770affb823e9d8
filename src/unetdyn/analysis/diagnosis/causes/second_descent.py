"""Whether the validation loss fell, rose and fell again."""

from collections.abc import Iterator

from unetdyn.analysis import double_descent
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.result import epoch, number

LIMIT = Limit(
    "loss.double_descent",
    source="a significance test, see `unetdyn.analysis.double_descent`; it is claimed of 0 to 2.6 % of the curves that "
    "have none (docs/analysis.md)",
    normal="where the learning rate dropped twice: the test tells the shape, not its cause.",
)
LIMITS = (LIMIT,)

_NAME = "double descent"


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the test says of the validation loss, or of the training loss where there is no other."""
    if not evidence.has_loss:
        return
    logged, curve = evidence.curves.watched("loss")
    found = double_descent(curve)
    if not found.determined:
        yield LIMIT.finding("unknown", _NAME, found.reason)
    elif not found.found:
        yield LIMIT.finding("good", _NAME, "none beyond noise")
    else:
        rose, fell = (epoch(place) for place in (found.first_minimum, found.peak))
        text = f"rose from epoch {rose} to {fell} by {number(found.rise)}, then fell by {number(found.second_descent)}"
        place = (int(found.first_minimum or 0), int(found.second_minimum or 0))
        yield LIMIT.finding("info", _NAME, text, epochs=[place], curves=[logged])
