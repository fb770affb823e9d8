"""Gradients that were watched and gave no trouble."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit
from unetdyn.analysis.diagnosis.rules import exploding, nonfinite, skipped, vanishing
from unetdyn.analysis.diagnosis.rules._gradient import NAME, watched_epochs

TROUBLES = (nonfinite, skipped, exploding, vanishing)

LIMIT = Limit("gradient.sound")
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """A good finding, where a `GradientMonitor` was there and no other rule on gradients found anything."""
    epochs = watched_epochs(evidence)
    if epochs and not any(True for rule in TROUBLES for _ in rule.find(evidence)):
        yield LIMIT.finding("good", NAME, f"finite, none exploded or vanished in {epochs} epochs")
