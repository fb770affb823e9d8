"""Batches that come in a fixed order, of images that are alike: the gradient repeats itself each epoch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.causes._gradient import record
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, Limit, Need

EXPLAINED = 0.6  # share of the variance of log ‖g‖ within the epochs that the step's place explains
LEAST_EPOCHS, LEAST_STEPS = 5, 3

LIMIT = Limit(
    "order.sorted",
    "the place of a step in its epoch",
    ill=f"explains {EXPLAINED:.0%} of the gradient's variance, and the training is not well",
    source=f"{RULE_OF_THUMB}; an analysis of variance",
    advice="shuffle the training images (`shuffle=True`, or `dataset.shuffle(len(images))`) in each epoch.",
    expected="each batch is like the whole set, and the gradient no longer repeats itself.",
    normal="with fewer images than a few batches hold.",
    explains=("metric.", "loss.", "stability"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("grad_norm", "epoch"), "GradientMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where it does."""
    by_step = record(evidence)
    if not by_step:
        return
    part = explained(np.asarray(by_step["grad_norm"], np.float64), np.asarray(by_step["epoch"]))
    if part > EXPLAINED:
        text = f"the place of a step in its epoch explains {part:.0%} of the variance of the gradient's norm"
        yield LIMIT.finding("ill", "order", text, "its batches come in a fixed order", confidence="medium")


def explained(norms: NDArray[np.float64], epochs: NDArray[np.int64]) -> float:
    """The share of the variance within epochs of log ‖g‖ that the place of the step explains, without bias.

    The variance of the places' means, less what noise adds to it, over the whole variance, about each epoch's mean. The
    last step of an epoch is left out: its batch may be a smaller one, and the gradient of fewer images is longer.
    """
    if not len(epochs):
        return 0.0
    counts = np.unique(epochs, return_counts=True)[1]
    steps = int(np.bincount(counts).argmax())
    kept = [norms[epochs == epoch][:-1] for epoch in np.unique(epochs) if (epochs == epoch).sum() == steps]
    steps -= 1
    table = np.array([row for row in kept if np.isfinite(row).all() and (row > 0).all()])
    if len(table) < LEAST_EPOCHS or steps < LEAST_STEPS:
        return 0.0
    logs = np.log(table)
    logs -= logs.mean(axis=1, keepdims=True)
    places = logs.mean(axis=0)
    within = ((logs - places) ** 2).sum() / ((len(logs) - 1) * (steps - 1))
    between = max(0.0, len(logs) * (places**2).sum() / (steps - 1) - within) / len(logs)
    return float(between / (between + within)) if between + within > 0 else 0.0
