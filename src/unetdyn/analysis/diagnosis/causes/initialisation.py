"""Weights that begin too large: the first loss is far above that of a constant answer."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

TIMES = 5.0  # the first epoch's training loss over that of the best constant answer

LIMIT = Limit(
    "init.bad",
    "the first training loss",
    ill=f"is more than {TIMES:g} times that of the best constant answer, and the training is not well",
    source=f"{RULE_OF_THUMB}; Karpathy, A recipe for training neural networks (2019): verify the loss at init",
    advice="He initialisation (`he_normal`), inputs of variance 1, a norm in each block.",
    expected="the first loss is near that of a constant answer.",
    explains=("metric.", "loss.", "training.short", "stability"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("constant_loss",), "BatchMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where both are known."""
    loss, constant = evidence.values("loss"), evidence.recorded("constant_loss")
    if not len(loss) or constant is None or not np.isfinite(constant[0]).any():
        return
    best = float(np.nanmedian(constant[0]))
    if best > 0 and loss[0] > TIMES * best:
        text = f"training loss {number(float(loss[0]))} in the first epoch; a constant answer costs {number(best)}"
        yield LIMIT.finding("ill", "beginning", text, "its weights begin too large", confidence="low", epochs=[(0, 0)])
