"""Trainings of which it is known what is wrong with them."""

from dataclasses import replace

import numpy as np

from unetdyn.analysis.diagnosis import Evidence

EPOCHS, STEPS = 40, 32
CALM = 0.001 * np.random.default_rng(2).normal(size=EPOCHS)


def healthy(**changes):
    """Converging curves with a little noise; `changes` replaces some."""
    noise = np.random.default_rng(0).normal(size=(3, EPOCHS))
    left = np.exp(-np.arange(EPOCHS) / 6)
    logs = {
        "loss": 0.10 + 0.6 * left + 0.001 * noise[0],
        "val_loss": 0.12 + 0.6 * left + 0.002 * noise[1],
        "val_jaccard": 0.8 - 0.7 * left + 0.004 * noise[2],
    }
    return logs | changes


def planted(records=None, **changes):
    """The evidence of a healthy training with these changes to its curves, and these records."""
    return replace(Evidence.read(healthy(**changes)), records=records or {})


def descent(tau, epochs):
    """A smooth descent, and the rise that goes with it."""
    left = np.exp(-np.arange(epochs) / tau)
    return {"loss": 0.05 + 0.5 * left, "val_loss": 0.05 + 0.5 * left, "val_jaccard": 0.8 - 0.7 * left}


def jumping(scale):
    noise = 0.1 * np.random.default_rng(1).normal(size=EPOCHS)
    return 0.7 + scale * 0.7 * (np.tile([0.5, -0.5], EPOCHS // 2) + noise)


def gradients(broken, applied, norm=1.0):
    """A record of `GradientMonitor`; the first `broken` steps have an infinite norm."""
    bad = np.arange(EPOCHS * STEPS) < broken
    return {
        "step": np.arange(EPOCHS * STEPS),
        "epoch": np.arange(EPOCHS * STEPS) // STEPS,
        "grad_norm": np.where(bad, np.inf, norm),
        "nonfinite": bad.astype(int),
        "applied": ~bad | applied,
        "explode": 10.0,
    }
