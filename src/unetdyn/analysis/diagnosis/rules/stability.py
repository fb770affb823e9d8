"""The class of the loss's stability: of all its scatter, or where that is a descent, of the scatter about it."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis import Stability, stability
from unetdyn.analysis.detrend import around_monotone
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import STUDIES, Limit
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

LEVEL_OF = {"Excellent": "good", "Good": "good", "Moderate": "watch", "Poor": "ill", "Very poor": "ill"}
ADVICE = "a lower learning rate or one that decays, a larger batch, more validation data."

_IS = {level: " or ".join(label for label in LEVEL_OF if LEVEL_OF[label] == level) for level in ("watch", "ill")}
LIMIT = Limit(
    "stability",
    "the loss's stability",
    watch=f"is {_IS['watch']}, apart from its descent",
    ill=f"is {_IS['ill']}, apart from its descent",
    source=STUDIES,
)
LIMITS = (LIMIT,)

_NAME = "stability"


def find(evidence: Evidence) -> Iterator[Finding]:
    """How the watched loss scatters over the last window."""
    if not evidence.has_loss:
        yield LIMIT.finding("unknown", _NAME, "no loss was logged")
        return
    logged, curve = evidence.curves.watched("loss")
    found, words = stability(curve.values, evidence.window, evidence.ddof), readable(logged)
    if not found.determined:
        yield LIMIT.finding("unknown", _NAME, str(found))
    elif not found.finite:
        why = f"the stability of its {words} is {str(found.label).lower()}"
        yield LIMIT.finding("ill", _NAME, str(found), why, ADVICE)
    else:
        yield _of(found, words)


def _of(found: Stability, words: str) -> Finding:
    """A loss that still falls has a large σ, and may be calm all the same."""
    text = f"{found.label}: σ of the {words} {number(found.sigma)}"
    variation = found.coefficient_of_variation
    text += f", {variation:.0%} of its mean" if np.isfinite(variation) else ""
    if LEVEL_OF[str(found.label)] == "good":
        return LIMIT.finding("good", _NAME, text)
    about = stability(around_monotone(found.values, rising=False), found.window, found.ddof)
    level = LEVEL_OF[str(about.label)]
    if level == "good":
        still = f"{text}; but {number(about.sigma)} about its descent: still improving"
        return LIMIT.finding("unknown", _NAME, still)
    if about.label != found.label:
        text += f"; {about.label}, {number(about.sigma)}, about its descent"
    return LIMIT.finding(level, _NAME, text, f"the stability of its {words} is {str(about.label).lower()}", ADVICE)
