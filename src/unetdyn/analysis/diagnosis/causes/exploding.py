"""Gradients that explode: steps whose norm is far above the run's own past, and what came of them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.causes._gradient import NAME, record
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need
from unetdyn.analysis.result import number

EXPLODE = 10.0  # norm of the whole gradient, `GradientMonitor`'s default: the studies'
TIMES, PAST = 100.0, 50  # above so many times the median of so many steps before: a norm of its own has no scale

ADVICE = "a lower learning rate or a warm-up, clipping (`global_clipnorm` of the optimizer), a norm in each block."
LIMIT = Limit(
    "gradient.exploding",
    "the gradient's norm",
    ill=f"is {TIMES:g} times the median of the {PAST} steps before, and the training is not well",
    source=RULE_OF_THUMB,
    advice=ADVICE,
    expected="no norm beyond ten times its past, and no loss that leaps.",
    normal="a single step, from which the training comes back.",
    explains=("loss.nonfinite", "loss.rose", "metric.", "run.failed", "stability"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("grad_norm", "nonfinite", "epoch"), "GradientMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """At which steps, if any."""
    by_step = record(evidence)
    if not by_step:
        return
    norms = np.where(np.asarray(by_step["nonfinite"]) == 0, np.asarray(by_step["grad_norm"], np.float64), np.nan)
    far = leaps(norms)
    if far.any():
        count, largest = int(far.sum()), float(np.nanmax(norms[far]))
        text = (
            f"the gradient's norm was {TIMES:g} times that of the {PAST} steps before at {count} of {len(far)} steps, "
            f"up to {number(largest)}"
        )
        epochs = spans(np.asarray(by_step["epoch"])[far].tolist())
        curves = [name for name in ("grad_norm",) if name in evidence.curves]
        why = f"its gradient exploded at {count} of {len(far)} steps"
        yield LIMIT.finding("ill", NAME, text, why, confidence="medium", epochs=epochs, curves=curves)


def leaps(norms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Steps whose norm is so many times the median of the steps before, of those with a gradient.

    A batch without an object may have none at all, and its zeros say nothing of the size of the others.

    >>> bool(leaps(np.r_[np.ones(60), 500.0])[-1]), bool(leaps(np.ones(60)).any())
    (True, False)
    """
    found = np.zeros(len(norms), bool)
    if len(norms) <= PAST:
        return found
    windows = np.lib.stride_tricks.sliding_window_view(np.where(norms[:-1] > 0, norms[:-1], np.nan), PAST)
    known = np.isfinite(windows).any(axis=1)
    past = np.full(len(windows), np.nan)
    past[known] = np.nanmedian(windows[known], axis=1)
    with np.errstate(invalid="ignore"):
        found[PAST:] = norms[PAST:] > TIMES * past
    return found
