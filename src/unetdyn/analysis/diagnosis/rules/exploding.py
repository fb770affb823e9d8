"""Gradients that explode: how many epochs had a finite gradient with a norm above the monitor's threshold."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES, Limit, share
from unetdyn.analysis.diagnosis.rules._gradient import NAME, OFTEN, record, watched_epochs

EXPLODE = 10.0  # norm of the whole gradient, `GradientMonitor`'s default: the studies'

ADVICE = "a lower learning rate or a warm-up, clipping (`global_clipnorm` of the optimizer), a norm in each block."
LIMIT = Limit(
    "gradient.exploding",
    "gradients",
    watch=f"explode (a norm above {EXPLODE:g}, by default) in an epoch",
    ill=f"explode (a norm above {EXPLODE:g}, by default) in {share(OFTEN)} of the epochs",
    source=f"how often: {RULE_OF_THUMB}; the norm: {STUDIES}",
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """In how many epochs, if any."""
    if "grad_exploding" not in evidence.curves:
        return
    count, epochs = int((evidence.curves["grad_exploding"].values > 0).sum()), watched_epochs(evidence)
    by_step = record(evidence)
    if by_step:
        # An infinite norm of a gradient that is not finite is no explosion, as it was in the logs of older runs.
        above = (by_step["grad_norm"] > by_step["explode"]) & (by_step["nonfinite"] == 0)
        count = len(np.unique(by_step["epoch"][above]))
    if count:
        text = f"the gradient exploded in {count} of {epochs} epochs"
        yield LIMIT.finding(graded(count / epochs, 0.0, OFTEN), NAME, text, text, ADVICE)
