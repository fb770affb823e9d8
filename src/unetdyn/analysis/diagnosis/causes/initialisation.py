"""Weights that begin too large: the first loss is far above that of a constant answer."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes.dead import cut_off, from_the_start
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

SURE = 2.0  # a cross-entropy above it is surer of the wrong answer than seven to one; ½ everywhere costs 0.69
TIMES, FAR = 5.0, 20.0  # the first epoch's training loss over that of the best constant answer: maybe, for certain

LIMIT = Limit(
    "init.bad",
    "the first training loss",
    ill=f"is above {SURE:g} and {TIMES:g} times that of the best constant answer, and the training is not well",
    source=f"{RULE_OF_THUMB}; Karpathy, A recipe for training neural networks (2019): verify the loss at init",
    advice="He initialisation (`he_normal`), inputs of variance 1, a norm in each block.",
    expected="the first loss is near that of a constant answer.",
    refuted="an untrained network's loss is near a constant answer's: then the first epoch's updates did it.",
    explains=("metric.", "loss.", "training.short", "stability"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("constant_loss",), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where both are known."""
    loss, constant = evidence.values("loss"), evidence.constant_loss()
    if not len(loss) or evidence.loss_since or constant is None or not np.isfinite(constant).any():
        return
    best = float(np.nanmedian(constant))
    if best > 0 and loss[0] > max(TIMES * best, SURE) and not evidence.penalised:
        text = f"training loss {number(float(loss[0]))} in the first epoch; a constant answer costs {number(best)}"
        confidence = "high" if loss[0] > FAR * best or _dead_at_once(evidence) else "low"
        why = "its weights begin too large"
        yield LIMIT.finding("ill", "beginning", text, why, confidence=confidence, epochs=[(0, 0)], curves=["loss"])


def _dead_at_once(evidence: Evidence) -> bool:
    """Whether blocks never had a gradient: then no update made the first loss so high."""
    blocks = evidence.record("block_grad_norm").get("block_grad_norm", {})
    dead = cut_off(blocks)
    return bool(dead) and from_the_start(blocks, dead)
