"""The class of the loss's stability: of all its scatter, or where that is a descent, of the scatter about it.

σ has the unit of the loss: a focal loss is small, and so is its σ. So σ alone makes nobody ill: the scatter must be
large for the loss itself as well.
"""

from collections.abc import Iterator

from unetdyn.analysis import Stability, stability
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, worst
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES, Limit, share
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number
from unetdyn.analysis.scatter import scatter_about_descent

LEVEL_OF = {"Excellent": "good", "Good": "good", "Moderate": "watch", "Poor": "ill", "Very poor": "ill"}
SCATTER, SCATTER_FAR = 0.5, 1.0  # σ about the descent over the mean: watch, ill
ADVICE = "a lower learning rate or one that decays, a larger batch, more validation data."

_IS = {level: " or ".join(label for label in LEVEL_OF if LEVEL_OF[label] == level) for level in ("watch", "ill")}
LIMIT = Limit(
    "stability",
    "the loss's stability",
    watch=f"is {_IS['watch']} or worse apart from its descent, and σ more than {share(SCATTER)} of the mean",
    ill=f"is {_IS['ill']} apart from its descent, and σ more than {share(SCATTER_FAR)} of the mean, or is not finite",
    source=f"the classes: {STUDIES}; with the mean: {RULE_OF_THUMB}",
    advice=ADVICE,
    expected="smaller updates let the validation loss settle: σ falls with the learning rate.",
    normal="with a validation set of few images, and where the metric is calm.",
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
        yield LIMIT.finding("ill", _NAME, str(found), why, curves=[logged])
    else:
        last = curve.epochs[-len(found.values) :]
        yield _of(found, words, logged, (int(last[0]), int(last[-1])))


def _of(found: Stability, words: str, logged: str, last: tuple[int, int]) -> Finding:
    """A loss that still falls has a large σ, and may be calm all the same."""
    text = f"{found.classes}; σ of the {words} {number(found.sigma)}"
    about = scatter_about_descent(found)
    part = about.sigma / abs(found.mean) if found.mean else float("inf")
    relative = "ill" if part >= SCATTER_FAR else "watch" if part >= SCATTER else "good"
    level = _lower(LEVEL_OF[str(about.label)], relative)
    if level == "good" and LEVEL_OF[str(found.label)] != "good":
        if LEVEL_OF[str(about.label)] == "good":
            text += f"; but {number(about.sigma)} about its descent: still improving"
            return LIMIT.finding("unknown", _NAME, text, curves=[logged])
        return LIMIT.finding(
            "info", _NAME, f"{text}; that is {part:.0%} of its mean about its descent", curves=[logged]
        )
    if about.label != found.label:
        text += f"; {about.label}, {number(about.sigma)}, about its descent"
    why = f"the stability of its {words} is {str(about.label).lower()}"
    return LIMIT.finding(level, _NAME, text, why, epochs=[last], curves=[logged])


def _lower(one: str, other: str) -> str:
    """The better of two levels."""
    return one if worst((one, other)) == other else other
