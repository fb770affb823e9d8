"""Updates skipped because the gradient was not finite: no harm was done, and a loss scale skips some as it adjusts."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share
from unetdyn.analysis.diagnosis.rules._gradient import NAME, OFTEN, record

HALF = 0.5  # share of the steps from which skipped updates are more than a loss scale that looks for its size

LIMIT = Limit(
    "gradient.skipped",
    "updates",
    watch=f"are skipped at {share(OFTEN)} of the steps for gradients that are not finite",
    ill=f"are skipped at {share(HALF)} of the steps for gradients that are not finite",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """How many there were, if any; only a record tells."""
    by_step = record(evidence)
    if "grad_nonfinite" not in evidence.curves or not by_step:
        return
    count, steps = int(((by_step["nonfinite"] > 0) & ~by_step["applied"]).sum()), len(by_step["nonfinite"])
    if count:
        text = f"{count} of {steps} updates were skipped, since the gradient was not finite"
        yield LIMIT.finding(graded(count / steps, OFTEN, HALF), NAME, text, text)
