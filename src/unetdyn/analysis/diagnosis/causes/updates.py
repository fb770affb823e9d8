"""How far updates move the weights at the end, against `UpdateMonitor`'s band: an observation, see `learning_rate`."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import Limit, Need

LOW, HIGH = 1e-4, 3e-3  # `UpdateMonitor`'s default band around 1e-3: Karpathy, CS231n (2015)

TOO_LARGE = "a lower learning rate, a longer warm-up."
TOO_SMALL = (
    "a higher learning rate, unless a schedule has lowered it on purpose; a look at whether the gradient vanishes "
    "there."
)
_SOURCE = "Karpathy, CS231n (2015)"
LARGE = Limit("update.large", source=_SOURCE)
SMALL = Limit("update.small", source=_SOURCE, normal="at the end of a schedule that lowers the learning rate.")
USUAL = Limit("update.usual", source=_SOURCE)
LIMITS = (LARGE, SMALL, USUAL)
NEEDS = (Need(("update_ratio",), "UpdateMonitor"),)

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
        yield LARGE.finding("info", _NAME, f"{text}, above {high:g}")
    elif ratio < low:
        yield SMALL.finding("info", _NAME, f"{text}, below {low:g}")
    else:
        yield USUAL.finding("good", _NAME, f"{text}, within {low:g} to {high:g}")
