"""Whether the loss has converged. Not to have is no illness: the training may only have been short."""

from collections.abc import Iterator

from unetdyn.analysis import convergence
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit

LIMIT = Limit("convergence")
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """By the slope of the loss."""
    if evidence.has_loss:
        found = convergence(evidence.curves, evidence.metric, evidence.window).slope
        yield LIMIT.finding("good" if found.converged else "unknown", "convergence", found.summary)
