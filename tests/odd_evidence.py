"""Evidence as it may come, not as it should: empty, broken, of other lengths, of other types."""

import numpy as np

from unetdyn.analysis import Curves
from unetdyn.analysis.diagnosis import Evidence

METRICS = ("jaccard", "dice", "accuracy", "mae")  # of the last less is better
LOGGED = ("loss", "val_loss", "update_ratio_log10", "grad_nonfinite", "learning_rate", "val_accuracy", "mean_io_u")
OF_BATCHES = (
    "input_min", "input_max", "input_mean", "input_std", "input_nonfinite", "target_min", "target_max",
    "target_fractional", "target_other", "target_nonfinite", "foreground", "empty", "output_min", "output_max",
    "output_mean", "output_std", "output_nonfinite", "output_spread", "above", "near", "constant_loss",
    "constant_output", "constant_jaccard", "images",
)  # fmt: skip
OF_MODES = ("training_loss", "inference_loss", "training_jaccard", "inference_jaccard")
OF_FLIPS = ("on", "off", "near", "jaccard", "soft_jaccard", "best_jaccard", "best_threshold")
HUGE = float(np.finfo(np.float32).max)
VALUES = (np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1.0, 1e-30, -1.0, 0.3, HUGE, -HUGE)
ANYTHING = (
    None,
    "",
    "odd",
    0,
    1,
    -1,
    2.5,
    np.nan,
    True,
    [],
    {},
    ["a"],
    {"name": None},
    {"config": None},
    {"linear": 9, "sigmoid": 2},
)
SET_UP = (
    "optimizer", "loss", "metrics", "batch_size", "steps_per_epoch", "epochs", "norms", "parameters",
    "trainable_parameters", "frozen_layers", "output_activation", "hidden_activations", "dropout", "penalty",
    "l1_penalty", "accumulation_steps", "clip", "output_shape",
)  # fmt: skip


def odd_values(random, length):
    """Constant, descending, or any values; a few or all of them no numbers."""
    kind = random.choice(("constant", "line", "any", "nan", "broken line"))
    if kind == "constant":
        return np.full(length, random.choice(VALUES))
    if kind == "nan":
        return np.full(length, np.nan)
    if kind == "any":
        return np.array([random.choice(VALUES) for _ in range(length)])
    line = np.linspace(random.choice((1.0, 0.1, -3.0)), random.choice((0.0, 0.9, 5.0)), length)
    if kind == "broken line" and length:
        line[random.randrange(length)] = random.choice(VALUES)
    return line


def odd_evidence(random):
    """The evidence of a training in which anything may have gone wrong, and anything may be missing."""
    length, metric = random.randrange(13), random.choice(METRICS)
    curves = {}
    for name in (metric, f"val_{metric}", *LOGGED):
        if random.random() < 0.7:
            every = random.choice((1, 1, 1, 3)) if name.startswith("val_") else 1
            epochs = np.arange(length)[every - 1 :: every]
            values = odd_values(random, len(epochs))
            curves[name] = (epochs, np.clip(values, -80, 80) if name.endswith("log10") else values)
    curves = {name: columns for name, columns in curves.items() if len(columns[0])}
    chosen = metric if {metric, f"val_{metric}"} & set(curves) else None
    records = {name: record for name, record in _records(random, length).items() if random.random() < 0.6}
    events = [
        {"kind": random.choice(("warning", "train_begin")), "steps": random.choice(ANYTHING), "code": code}
        for code in random.sample(("labels.scale", "labels.fractional", None, 3), 2)
    ]
    return Evidence(
        Curves(curves),
        chosen,
        status=random.choice((None, "running", "finished", "failed", "interrupted")),
        epochs=length,
        events=events,
        records=records,
        setup=_set_up(random),
        tested={metric: random.choice(VALUES)} if random.random() < 0.5 else {},
    )


def _records(random, length):
    epochs = random.choice((length, length, max(length - 3, 0), 0))
    of_batches = (*OF_BATCHES, *(f"val_{name}" for name in OF_BATCHES))
    by_epoch = {"batch": of_batches, "mode_gap": OF_MODES, "flips": OF_FLIPS}
    records = {
        name: {"epoch": np.arange(epochs)} | {key: odd_values(random, epochs) for key in keys}
        for name, keys in by_epoch.items()
    }
    steps = epochs * random.choice((1, 3, 10))
    of_steps = {"step": np.arange(steps), "epoch": np.arange(steps) // max(steps // max(epochs, 1), 1)}
    records["mode_gap"]["mean_distance"] = random.choice(({}, {"norm": odd_values(random, epochs)}))
    records["mode_gap"]["variance_ratio"] = random.choice(({}, {"norm": odd_values(random, epochs)}))
    blocks = random.choice(({}, {"enc1": odd_values(random, steps), "dec1": odd_values(random, steps)}))
    records["gradient"] = of_steps | {
        "grad_norm": odd_values(random, steps),
        "applied_grad_norm": odd_values(random, steps),
        "nonfinite": np.array([random.choice((0, 3)) for _ in range(steps)], dtype=int),
        "applied": np.array([random.choice((True, False)) for _ in range(steps)], dtype=bool),
        "block_grad_norm": blocks,
        "explode": 10.0,
    }
    ratios = random.choice(({}, {"enc1": odd_values(random, steps)}))
    records["update"] = of_steps | {"update_ratio": ratios, "low": 1e-4, "high": 3e-3}
    return records


def _set_up(random):
    if random.random() < 0.2:
        return {}
    setup = {key: random.choice(ANYTHING) for key in SET_UP if random.random() < 0.7}
    if random.random() < 0.5:
        config = {key: random.choice(ANYTHING) for key in ("gamma", "from_logits", "weight_decay", "label_smoothing")}
        setup["loss"] = {"name": random.choice(("binary_focal_crossentropy", None, "dice")), "config": config}
        setup["optimizer"] = {"name": "adam", "learning_rate": random.choice(ANYTHING), "config": config}
    if random.random() < 0.5:
        momentum, trainable = random.choice((None, 0.9, 0.99, 1.0, 0, "odd")), random.choice((True, False, None))
        setup["norms"] = [{"layer": "a", "momentum": momentum, "trainable": trainable}]
        setup["steps_per_epoch"] = random.choice((1, 32, 0, None))
    return setup
