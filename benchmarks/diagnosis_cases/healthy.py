"""Trainings that are well, many of which look as if they were not."""

import numpy as np

from .datasets import Arrays
from .faults import NO_NORM, rarer
from .setups import PLAIN, Setup


def _few_validation_tiles(arrays: Arrays, rng: np.random.Generator) -> None:
    full = np.flatnonzero(arrays.val_y.mean(axis=(1, 2, 3)) > 0.01)
    chosen = rng.permutation(full)[:3]
    arrays.val_x, arrays.val_y = arrays.val_x[chosen], arrays.val_y[chosen]


HEALTHY: dict[str, Setup] = {
    "plain": PLAIN,
    "warmup": PLAIN.but(schedule="warmup", learning_rate=8e-3),
    "cosine": PLAIN.but(schedule="cosine", learning_rate=8e-3),
    "restarts": PLAIN.but(schedule="restarts", epochs=32),
    "plateau": PLAIN.but(plateau=True, epochs=32),
    "small_validation": PLAIN.but(change=_few_validation_tiles),
    "rare_soft_jaccard": PLAIN.but(task=rarer(2), loss="soft_jaccard"),
    "soft_jaccard": PLAIN.but(loss="soft_jaccard"),
    "dropout": PLAIN.but(dropout=0.3, epochs=32),
    "dropout_half": PLAIN.but(dropout=0.5, epochs=36, filters=12),
    "group_norm_batch_one": PLAIN.but(norm="group", batch_size=1, epochs=4, learning_rate=2e-3),
    "group_norm": PLAIN.but(norm="group"),
    "no_norm": NO_NORM,
    "converged_long_ago": PLAIN.but(schedule="cosine", epochs=45),
    "long_mild_overfit": PLAIN.but(epochs=60),
    "unscaled_before_norm": PLAIN.but(scaling="raw"),
    "transfer": PLAIN.but(frozen="encoder", pretraining=20, epochs=15),
    "sgd_momentum": PLAIN.but(optimizer="sgd", learning_rate=0.2),
    "adamw": PLAIN.but(optimizer="adamw"),
    "bfloat16": PLAIN.but(policy="mixed_bfloat16"),
    "large_batch": PLAIN.but(batch_size=32, epochs=36, learning_rate=6e-3),
    "clipnorm": PLAIN.but(clipnorm=1.0),
    "focal": PLAIN.but(loss="focal"),
}
"""By name; `plain` first. Each must come out well: the scores leave out what does not."""
