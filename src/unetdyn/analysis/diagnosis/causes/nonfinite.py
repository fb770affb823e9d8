"""Gradients that were not finite: used, or skipped by a loss scale or a guard, which is no illness by itself."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.causes._gradient import NAME, OFTEN, record
from unetdyn.analysis.diagnosis.evidence import Evidence, Record
from unetdyn.analysis.diagnosis.finding import Finding, graded, spans
from unetdyn.analysis.diagnosis.limit import Limit, Need, share

HALF = 0.5  # share of the steps from which skipped updates are more than a loss scale that looks for its size

ADVICE = "look for NaN and empty masks in that batch; a lower learning rate; a loss of logits in float32."
LIMIT = Limit(
    "gradient.nonfinite",
    "gradients",
    watch="are used though not finite at a step",
    ill=f"are used though not finite at {share(OFTEN)} of the steps",
    advice=ADVICE,
    expected="loss and weights stay finite.",
    refuted="the optimizer left these steps out, unseen by the monitor.",
    explains=("loss.", "metric.", "run.failed", "stability"),
    alone=True,
)
SKIPPED = Limit(
    "gradient.skipped",
    "updates",
    watch=f"are skipped at {share(HALF)} of the steps for gradients that are not finite, and the training is not well",
    advice="float32 or bfloat16 instead of float16; a smaller first loss scale.",
    expected="every step updates the weights.",
    normal="in the first steps in float16, where the loss scale looks for its size.",
    explains=("loss.", "metric."),
)
LIMITS = (LIMIT, SKIPPED)
NEEDS = (Need(("nonfinite", "applied", "grad_norm"), "GradientMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """How many were used, by steps where a record has them, else by epochs; and how many skipped, by the record."""
    if "grad_nonfinite" not in evidence.curves:
        return
    by_step, curve = record(evidence), evidence.curves["grad_nonfinite"]
    if by_step:
        used = np.asarray(by_step["applied"]) & (np.asarray(by_step["nonfinite"]) > 0)
        count, of = int(used.sum()), len(used)
        where = spans(np.asarray(by_step["epoch"])[used].tolist())
        first = f", first at step {int(np.asarray(by_step['step'])[used][0])}" if count and "step" in by_step else ""
        text = f"the gradient was not finite at {count} of {of} steps{first}"
        yield from _skipped(by_step)
    else:
        count, of = int((curve.values > 0).sum()), len(curve.values)
        where = spans(curve.epochs[curve.values > 0].tolist())
        text = f"the gradient was not finite in {count} of {of} epochs"
    if count:
        level = graded(count / of, 0.0, OFTEN)
        yield LIMIT.finding(level, NAME, text, text, confidence="medium", epochs=where, curves=["grad_nonfinite"])


def _skipped(by_step: Record) -> Iterator[Finding]:
    skipped = (np.asarray(by_step["nonfinite"]) > 0) & ~np.asarray(by_step["applied"])
    count, steps = int(skipped.sum()), len(skipped)
    if count:
        text = f"{count} of {steps} updates were skipped, since the gradient was not finite"
        level = "watch" if count >= HALF * steps else "info"
        yield SKIPPED.finding(level, NAME, text, text, confidence="medium")
