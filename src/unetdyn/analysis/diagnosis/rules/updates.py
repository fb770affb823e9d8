"""Updates of a wrong size: the median block's update-to-weight ratio, in the median of the last epochs."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, times

LOW, HIGH = 1e-4, 3e-3  # `UpdateMonitor`'s default band around 1e-3: Karpathy, CS231n (2015)
FAR = 10.0  # times the band's upper end: rule of thumb

TOO_LARGE = "a lower learning rate, a longer warm-up."
TOO_SMALL = (
    "a higher learning rate, unless a schedule has lowered it on purpose; a look at whether the gradient vanishes "
    "there."
)
_SOURCE = f"the band: Karpathy, CS231n (2015); how far: {RULE_OF_THUMB}"
LARGE = Limit(
    "update.large",
    "updates",
    watch=f"are above the monitor's band (to {HIGH:g}, by default) at the end",
    ill=f"are above {times(FAR)} the monitor's band (to {HIGH:g}, by default) at the end",
    source=_SOURCE,
)
SMALL = Limit(
    "update.small",
    "updates",
    watch=f"are below the monitor's band (from {LOW:g}, by default) at the end",
    source=_SOURCE,
)
USUAL = Limit("update.usual")
LIMITS = (LARGE, SMALL, USUAL)

_NAME = "updates"


def find(evidence: Evidence) -> Iterator[Finding]:
    """Where an `UpdateMonitor` was there, how large its ratios are against its own band."""
    if "update_ratio_log10" not in evidence.curves:
        return
    logarithms = evidence.curves["update_ratio_log10"].values[-evidence.window :]
    band = evidence.record("update_ratio", "low", "high")
    low, high = float(band.get("low", LOW)), float(band.get("high", HIGH))
    usual = logarithms[np.isfinite(logarithms)]
    if not usual.size:
        yield USUAL.finding("unknown", _NAME, f"none of the last {len(logarithms)} epochs updated the weights")
        return
    ratio = 10 ** float(np.median(usual))
    text = f"median update-to-weight ratio of the last {len(usual)} epochs {ratio:.2g}"
    if ratio > high:
        level = "ill" if ratio > FAR * high else "watch"
        why = f"its updates are large ({ratio:.2g})"
        yield LARGE.finding(level, _NAME, f"{text}, above {high:g}", why, TOO_LARGE)
    elif ratio < low:
        why = f"its updates are tiny ({ratio:.2g})"
        yield SMALL.finding("watch", _NAME, f"{text}, below {low:g}", why, TOO_SMALL)
    else:
        yield USUAL.finding("good", _NAME, f"{text}, within {low:g} to {high:g}")
