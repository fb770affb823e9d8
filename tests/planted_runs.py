"""Trainings of which it is known what is wrong with them."""

from dataclasses import replace

import numpy as np

from unetdyn.analysis.diagnosis import Evidence

EPOCHS, STEPS = 40, 32
CALM = 0.001 * np.random.default_rng(2).normal(size=EPOCHS)
FOREGROUND = 0.1
CONSTANT_LOSS = -(FOREGROUND * np.log(FOREGROUND) + (1 - FOREGROUND) * np.log(1 - FOREGROUND))


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


def planted(records=None, *, setup=None, events=(), tested=None, **changes):
    """The evidence of a healthy training with these changes to its curves, and what else it has left."""
    evidence = Evidence.read(healthy(**changes))
    return replace(evidence, records=records or {}, setup=setup or {}, events=events, tested=tested or {})


def logged(records=None, *, setup=None, events=(), tested=None, metric=None, **curves):
    """The evidence of a training that logged these curves, and nothing else."""
    evidence = Evidence.read(curves, metric)
    return replace(evidence, records=records or {}, setup=setup or {}, events=events, tested=tested or {})


def descent(tau, epochs):
    """A smooth descent, and the rise that goes with it."""
    left = np.exp(-np.arange(epochs) / tau)
    return {"loss": 0.05 + 0.5 * left, "val_loss": 0.05 + 0.5 * left, "val_jaccard": 0.8 - 0.7 * left}


def jumping(scale):
    noise = 0.1 * np.random.default_rng(1).normal(size=EPOCHS)
    return 0.7 + scale * 0.7 * (np.tile([0.5, -0.5], EPOCHS // 2) + noise)


def gradients(broken=0, applied=True, norm=1.0, **changes):
    """A record of `GradientMonitor`; the first `broken` steps have an infinite norm."""
    bad = np.arange(EPOCHS * STEPS) < broken
    return {
        "step": np.arange(EPOCHS * STEPS),
        "epoch": np.arange(EPOCHS * STEPS) // STEPS,
        "grad_norm": np.where(bad, np.inf, norm),
        "nonfinite": bad.astype(int),
        "applied": ~bad | applied,
        "explode": 10.0,
    } | changes


def updates(low=1e-4, high=3e-3, **blocks):
    """A record of `UpdateMonitor`: the update-to-weight ratio of each block at each step."""
    ratios = {name: np.full(EPOCHS * STEPS, ratio) for name, ratio in blocks.items()}
    return {"step": np.arange(EPOCHS * STEPS), "update_ratio": ratios, "low": low, "high": high}


def batches(epochs=EPOCHS, first=0, **changes):
    """A record of `BatchMonitor` where nothing is wrong: scaled images, masks of 0 and 1, a sigmoid's outputs."""
    of_a_set = {
        "input_min": -2.0, "input_max": 2.0, "input_mean": 0.0, "input_std": 1.0, "input_nonfinite": 0.0,
        "target_min": 0.0, "target_max": 1.0, "target_fractional": 0.0, "target_other": 0.0, "target_nonfinite": 0.0,
        "foreground": FOREGROUND, "empty": 0.0,
        "output_min": 0.01, "output_max": 0.99, "output_mean": 0.2, "output_std": 0.3, "output_nonfinite": 0.0,
        "output_spread": 0.3, "above": FOREGROUND, "near": 0.02,
        "constant_loss": CONSTANT_LOSS, "constant_output": FOREGROUND, "constant_jaccard": FOREGROUND,
        "images": 64.0, "steps": 32.0, "batch_size": 2.0,
    }  # fmt: skip
    values = of_a_set | {f"val_{name}": value for name, value in of_a_set.items()} | changes
    return {"epoch": first + np.arange(epochs)} | {
        name: np.broadcast_to(value, epochs) + 0.0 for name, value in values.items()
    }


def modes(epochs=EPOCHS, **changes):
    """A record of `TrainInferenceGapMonitor` where both modes agree; `changes` replaces some."""
    values = {
        "training_loss": 0.1,
        "inference_loss": 0.1,
        "training_jaccard": 0.8,
        "inference_jaccard": 0.8,
        "seconds": 0.1,
    } | changes
    return {"epoch": np.arange(epochs)} | {name: np.broadcast_to(value, epochs) + 0.0 for name, value in values.items()}


def flips(epochs=EPOCHS, **changes):
    """A record of `ThresholdFlipMonitor` of outputs that are far from the threshold; `changes` replaces some."""
    values = {"on": 0.001, "off": 0.001, "jaccard": 0.8, "soft_jaccard": 0.75, "best_jaccard": 0.81}
    values |= {"best_threshold": 0.5, "near": 0.02} | changes
    return {"epoch": np.arange(epochs)} | {name: np.broadcast_to(value, epochs) + 0.0 for name, value in values.items()}


def set_up(**changes):
    """What a healthy training was made with, as `RunRecorder` keeps it; `changes` replaces some."""
    norms = [
        {"layer": f"norm{place}", "kind": "BatchNormalization", "momentum": 0.9, "trainable": True} for place in (1, 2)
    ]
    return {
        "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": None, "config": {"weight_decay": None}},
        "loss": {"name": "binary_crossentropy", "config": {"from_logits": False}},
        "metrics": ["jaccard"], "batch_size": 4, "steps_per_epoch": STEPS, "epochs": EPOCHS, "norms": norms,
        "parameters": 1000, "trainable_parameters": 1000, "frozen_layers": [], "output_activation": "sigmoid",
        "hidden_activations": {"relu": 18}, "dropout": 0.0, "penalty": 0.0, "l1_penalty": 0.0,
        "accumulation_steps": 1, "clip": None,
    } | changes  # fmt: skip
