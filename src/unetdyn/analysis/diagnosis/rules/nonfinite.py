"""Gradients that were not finite and were used: by steps where a record has them, else by epochs."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share
from unetdyn.analysis.diagnosis.rules._gradient import NAME, OFTEN, record

ADVICE = "look for NaN and empty masks in that batch; a lower learning rate; a loss of logits in float32."
LIMIT = Limit(
    "gradient.nonfinite",
    "gradients",
    watch="are used though not finite at a step",
    ill=f"are used though not finite at {share(OFTEN)} of the steps",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """How many there were, if any."""
    if "grad_nonfinite" not in evidence.curves:
        return
    by_step = record(evidence)
    if by_step:
        count, of = int((by_step["applied"] & (by_step["nonfinite"] > 0)).sum()), len(by_step["nonfinite"])
        text = f"the gradient was not finite at {count} of {of} steps"
    else:
        by_epoch = evidence.curves["grad_nonfinite"].values
        count, of = int((by_epoch > 0).sum()), len(by_epoch)
        text = f"the gradient was not finite in {count} of {of} epochs"
    if count:
        yield LIMIT.finding(graded(count / of, 0.0, OFTEN), NAME, text, text, ADVICE)
