"""Clipping that clips nearly every step, and most of the gradient."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes._gradient import record
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

ALWAYS, LEFT = 0.9, 0.1  # share of the steps that are clipped, and what is left of the gradient in the median

LIMIT = Limit(
    "clipping.tight",
    "clipping",
    ill=f"leaves less than {LEFT:g} of the gradient at {ALWAYS:.0%} of the steps, and the training is not well",
    source=f"{RULE_OF_THUMB}; Seetharaman et al., AutoClip (2020): the tenth percentile of the norms",
    advice="`AutoClip(percentile=10)`, which takes the norm from the run itself; or a clipnorm ten times as large.",
    expected="a usual step keeps most of its gradient, and the training loss falls faster.",
    normal="with Adam, which does not feel a constant factor.",
    explains=("metric.nothing", "metric.low", "metric.flat", "loss.flat", "loss.constant", "training.short"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("grad_norm", "applied_grad_norm"), "GradientMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where it does."""
    by_step = record(evidence)
    if "applied_grad_norm" not in by_step:
        return
    raw, used = (np.asarray(by_step[key], np.float64) for key in ("grad_norm", "applied_grad_norm"))
    known = np.isfinite(raw) & np.isfinite(used) & (raw > 0)
    if not known.any():
        return
    left = used[known] / raw[known]
    if np.mean(left < 1 - 1e-4) >= ALWAYS and np.median(left) < LEFT:
        often, kept = np.mean(left < 1 - 1e-4), np.median(left)
        text = f"{often:.0%} of the steps are clipped, to {kept:.2g} of the gradient (median)"
        yield LIMIT.finding("ill", "clipping", text, "clipping takes most of every gradient", confidence="medium")
