"""Gradients that vanish: blocks that a gradient reaches, but so small that they do not move."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes._gradient import NAME
from unetdyn.analysis.diagnosis.causes.dead import cut_off
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

VANISH = 1e-6  # norm of the whole gradient and of a block's, `GradientMonitor`'s default: the studies'
GATE = "gate"  # blocks named so are left out: a gate may close
SMALL = 1e-4  # of the largest block's gradient
STILL = 1e-5  # of its weights that a block moves a step: Adam moves a block as far, however small its gradient

ADVICE = (
    "a norm in each block, residual blocks, He initialisation, no saturated sigmoid before the loss; where it is 0, "
    "see whether the loss depends on these layers at all. Smaller gradients than 1e-19 show as 0, since float32 has no "
    "room for their squares."
)
LIMIT = Limit(
    "gradient.vanishing",
    "a block",
    ill=f"gets less than {SMALL:g} of the largest block's gradient and moves less than {STILL:g} of its weights a "
    "step, and the training is not well",
    source=RULE_OF_THUMB,
    advice=ADVICE,
    expected="the block moves as far as the others, and the training loss falls further.",
    normal="with Adam, where a block moves however small its gradient is; in a gate that has closed.",
    explains=("metric.nothing", "metric.low", "metric.flat", "loss.flat", "loss.constant", "training.short"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("block_grad_norm",), "GradientMonitor"), Need(("update_ratio",), "UpdateMonitor"))


def find(evidence: Evidence) -> Iterator[Finding]:
    """Which blocks, if any."""
    norms = evidence.record("block_grad_norm").get("block_grad_norm", {})
    ratios = evidence.record("update_ratio").get("update_ratio", {})
    cut = cut_off(norms)
    medians = {name: _median(values) for name, values in norms.items() if name not in cut and not name.startswith(GATE)}
    largest = max((value for value in medians.values() if np.isfinite(value)), default=0.0)
    small = [name for name, value in medians.items() if value < SMALL * largest]
    still = [name for name in small if name in ratios and _median(ratios[name]) < STILL]
    if still:
        text = f"in {', '.join(still)} the gradient is below {SMALL:g} of the largest block's, and nothing moves"
        yield LIMIT.finding("ill", NAME, text, f"the gradient vanishes in {', '.join(still)}", confidence="medium")
    elif small:
        text = f"in {', '.join(small)} the gradient is below {SMALL:g} of the largest block's"
        yield LIMIT.finding("info", NAME, text)


def _median(values: np.ndarray) -> float:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(np.median(finite)) if len(finite) else float("nan")
