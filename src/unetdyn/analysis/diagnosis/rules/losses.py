"""Whether the losses fell, and how much of that is left at the end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.change import LITTLE, NOISE_SCALES, never_left, noise
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, graded
from unetdyn.analysis.diagnosis.limit import Limit, share, times
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.result import number

# Share of its fall that a loss has regained at the end: watch, ill. 1 is back where it began.
# A validation loss often rises while the metric still does: that is overfitting, which has a rule of its own.
GIVEN_BACK = {"loss": (0.5, 1.0), "val_loss": (0.5, 3.0)}


def _words(name: str) -> str:
    return readable(name) if name != "loss" else "training loss"


def _rose(name: str) -> Limit:
    watch, ill = (f"rose again by {_as_much(part)} it had fallen" for part in GIVEN_BACK[name])
    return Limit("loss.rose", f"the {_words(name)}", watch, ill)


def _as_much(part: float) -> str:
    return "all that" if part == 1 else f"{share(part)} of what" if part < 1 else f"{times(part)} what"


_STAYED = f"stayed within {share(LITTLE)} and within {times(NOISE_SCALES)} its noise of where it began"

NOT_FINITE = Limit("loss.nonfinite", "the loss or the validation loss", ill="is no number at the end")
FLAT = {
    "loss": Limit("loss.flat", "the training loss", ill=_STAYED),
    "val_loss": Limit("loss.flat", "the validation loss", watch=_STAYED),
}
ROSE = {name: _rose(name) for name in GIVEN_BACK}
FELL = Limit("loss.fell")
LIMITS = (NOT_FINITE, *FLAT.values(), *ROSE.values(), FELL)

_NAME = "loss"


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding on each loss that was logged; with fewer epochs than the window, only NaN speaks against it."""
    for name in GIVEN_BACK:
        if name in evidence.curves:
            yield _descent(name, evidence.curves[name].values, evidence.window)


def _descent(name: str, values: NDArray[np.float64], window: int) -> Finding:
    """Whether a loss fell, and how much of that is left at the end; a rise within noise is none."""
    words, last = _words(name), float(values[-1])
    if not np.isfinite(last):
        return NOT_FINITE.finding("ill", _NAME, f"{words} {last} at the end", f"its {words} is not finite at the end")
    finite = values[np.isfinite(values)]
    first, lowest = float(finite[0]), float(finite.min())
    text = f"{words} {number(first)} at first, {number(lowest)} at best, {number(last)} at the end"
    if len(values) < window:
        return FELL.finding("unknown", _NAME, text)
    if last - lowest > NOISE_SCALES * noise(values):
        given_back = (last - lowest) / (first - lowest) if first > lowest else float("inf")
        level = graded(given_back, *GIVEN_BACK[name])
        why = f"its {words} rose from {number(lowest)} to {number(last)} at the end"
        return ROSE[name].finding(level, _NAME, text, why)
    if never_left(values, lowest):
        level = "ill" if FLAT[name].ill else "watch"
        return FLAT[name].finding(level, _NAME, text, f"its {words} never fell by more than noise")
    return FELL.finding("good", _NAME, text)
