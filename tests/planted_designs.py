"""Runs of which nothing but one number and their settings is known, of designs whose truth is planted."""

from itertools import product

import numpy as np
import pandas as pd

from unetdyn.analysis import summarise

FACTORS = ("architecture", "learning_rate", "batch_size")


def run(performance, name=None, **factors):
    return summarise({"val_jaccard": [performance]}, name, factors=factors)


def several(values):
    """Runs of one factor, `group`, from its level → values."""
    return [run(value, f"{level} {n}", group=level) for level, of in values.items() for n, value in enumerate(of)]


def grid(seed=0, lost=0, seeds=3, noise=0.05):
    """A frame and the runs of 3 architectures × 2 rates × 2 batches × seeds with effects, less a random few."""
    rng = np.random.default_rng(seed)
    rows = [
        (name, rate, batch, s, 0.5 + 0.1 * (name == "b") - 0.02 * np.log10(rate) * (batch == 8) + noise * rng.normal())
        for name, rate, batch, s in product("abc", (1e-3, 1e-2), (8, 16), range(seeds))
    ]
    kept = sorted(rng.permutation(len(rows))[lost:])
    frame = pd.DataFrame([rows[index] for index in kept], columns=[*FACTORS, "seed", "y"])
    names = (*FACTORS, "seed")
    return frame, [
        run(row.y, f"run {row.Index}", **{name: getattr(row, name) for name in names}) for row in frame.itertuples()
    ]
