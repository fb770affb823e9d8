"""Gradients that vanish in a block: how many epochs had one with a median norm below the monitor's threshold."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES, Limit, share
from unetdyn.analysis.diagnosis.rules._gradient import NAME, OFTEN, watched_epochs

VANISH = 1e-6  # norm of the whole gradient and of a block's, `GradientMonitor`'s default: the studies'

ADVICE = (
    "a norm in each block, residual blocks, He initialisation, no saturated sigmoid before the loss; where it is 0, "
    "see whether the loss depends on these layers at all. Smaller gradients than 1e-19 show as 0, since float32 has no "
    "room for their squares."
)
LIMIT = Limit(
    "gradient.vanishing",
    "gradients",
    watch=f"vanish in a block (a median norm below {VANISH:g}, by default) in an epoch",
    ill=f"vanish in a block (a median norm below {VANISH:g}, by default) in {share(OFTEN)} of the epochs",
    source=f"how often: {RULE_OF_THUMB}; the norm: {STUDIES}",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """In how many epochs, if any."""
    if "grad_vanishing_blocks" not in evidence.curves:
        return
    count, epochs = int((evidence.curves["grad_vanishing_blocks"].values > 0).sum()), watched_epochs(evidence)
    if count:
        text = f"the gradient vanished in a block in {count} of {epochs} epochs"
        yield LIMIT.finding(graded(count / epochs, 0.0, OFTEN), NAME, text, text, ADVICE)
