"""A loss that rises from the first steps on: the weights go up the gradient, not down."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import spearmanr

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit
from unetdyn.analysis.result import number
from unetdyn.analysis.robust import finite_median

STEADY = 0.8  # rank correlation of the training loss with the epoch
LEAST = 5  # epochs
ZERO = 1.0  # a loss of masks that a constant answer brings below −1 is no loss; −Dice stays above
RISE = 0.1  # part of the first loss

LIMIT = Limit(
    "gradient.ascent",
    "the training loss",
    ill=f"rises with the epochs (rank correlation {STEADY:g}) from the first on, by more than {RISE:.0%}, or a "
    f"constant answer has one below −{ZERO:g}",
    source=RULE_OF_THUMB,
    advice="look for a sign: a score that is minimised as if it were a loss, a negative learning rate or weight.",
    expected="the training loss falls in the first epoch.",
    refuted="a tenth of the learning rate makes it fall: then the rate was too high.",
    explains=("loss.", "metric.", "stability"),
)
LIMITS = (LIMIT,)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the training loss does."""
    constant = evidence.constant_loss()
    best = float("nan") if constant is None else finite_median(constant)
    if best < -ZERO:
        text = f"the best constant answer has a loss of {number(best)}: wrong answers are rewarded"
        why = "its loss rewards wrong answers"
        curves = [name for name in ("loss",) if name in evidence.curves]
        yield LIMIT.finding("ill", "training loss", text, why, confidence="medium", curves=curves)
        return
    values = evidence.values("loss")
    values = values[np.isfinite(values)]
    if len(values) < LEAST or np.ptp(values) == 0:
        return
    rises = values[-1] - values[0] > RISE * abs(values[0]) and values.min() > values[0] - RISE * abs(values[0])
    steady = float(spearmanr(np.arange(len(values)), values)[0])
    if rises and steady > STEADY:
        text = f"training loss {number(values[0])} at first, {number(values[-1])} at the end, rising all along"
        why = "its training loss rises from the first epoch on"
        yield LIMIT.finding("ill", "training loss", text, why, confidence="medium", curves=["loss"])
