"""Regularisation that holds the network back: a dropout or a weight decay far beyond what is in use."""

from collections.abc import Iterator

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

DROPOUT, DECAY = 0.5, 0.1  # the rate of Srivastava et al. (2014) is 0.5; AdamW's usual decay 0.01 to 0.1
PENALTY = 0.01  # a kernel's L2 factor; 1e-5 to 1e-3 are usual

LIMIT = Limit(
    "regularisation.strong",
    "the regularisation",
    ill=f"has a dropout above {DROPOUT:g}, a weight decay above {DECAY:g}, or an L2 penalty above {PENALTY:g}, "
    f"and the training is not well",
    source=f"{RULE_OF_THUMB}; Srivastava et al., Dropout (2014): 0.5; Loshchilov and Hutter, AdamW (2019)",
    advice="dropout of 0.5 or less, weight decay of 0.01.",
    expected="the training loss falls further.",
    refuted="without it the training loss falls no further.",
    explains=("metric.", "loss.", "training.short"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(setup="dropout"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What the set-up says of both."""
    dropout = evidence.told_number("dropout") or 0.0
    decay = evidence.told_number("optimizer", "config", "weight_decay") or 0.0
    penalty = evidence.told_number("penalty") or 0.0
    found = []
    if dropout > DROPOUT:
        found.append(f"a dropout of {dropout:g}")
    if decay > DECAY:
        found.append(f"a weight decay of {decay:g}")
    if penalty > PENALTY:
        found.append(f"an L2 penalty of {penalty:g}")
    if found:
        text = " and ".join(found)
        yield LIMIT.finding("ill", "regularisation", text, f"it has {text}", confidence="high")
