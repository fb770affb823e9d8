"""Sweeps and run directories with planted effects, written without training."""

from itertools import product

import numpy as np

from unetdyn.runs import RunWriter
from unetdyn.sweeps.table import Row, freeze

EFFECTS = {
    "model.architecture": {"UNet": 0.0, "AttentionUNet": 0.06},
    "optimizer.learning_rate": {0.001: 0.0, 0.005: -0.04},
    "fit.batch_size": {8: 0.0, 16: 0.0},
}
"""Key of a configuration → level → what it adds to the best Jaccard."""

BASE = 0.7
SEEDS = (0, 1, 2)
EPOCHS = 12


def rows_of(effects=None, seeds=SEEDS, blocks=None):
    """The rows of a full factorial design; `blocks` maps a key to the level of each seed."""
    effects = EFFECTS if effects is None else effects
    cells = list(product(*effects.values()))
    rows = []
    for cell, levels in enumerate(cells, 1):
        for seed in seeds:
            settings = dict(zip(effects, levels, strict=True))
            own = {key: of[seed] for key, of in (blocks or {}).items()}
            rows.append(Row(len(rows) + 1, cell, seed, settings, own, ""))
    return rows


def planted_sweep(folder, rows=None, missing=(), failed=(), ill=(), **kwargs):
    """A frozen sweep with a run directory of each row but the missing ones."""
    rows = rows_of() if rows is None else rows
    sweep = freeze(folder, "planted", "2026-11-27T09:00:00", {}, {}, {}, rows)
    for row in rows:
        if row.number not in missing:
            status = "failed" if row.number in failed else "finished"
            jaccard = planted_jaccard({**row.settings, **row.blocks}, row.number, **kwargs)
            config = {**row.settings, **row.blocks}
            write_run(sweep.run_path(row.number), config, row.seed, jaccard, status, row.number in ill)
    return sweep


def planted_jaccard(settings, number, effects=None, noise=0.008):
    """The base, what each level adds, and noise that is a function of the number."""
    effects = EFFECTS if effects is None else effects
    added = sum(effects[key].get(level, 0.0) for key, level in settings.items() if key in effects)
    return BASE + added + noise * np.random.default_rng(number).normal()


def write_run(path, settings, seed, jaccard, status="finished", ill=False):
    """A training with this best Jaccard, whose σ grows with the learning rate; an ill one falls again and again."""
    config = {}
    for key, level in settings.items():
        part = config
        *above, last = key.split(".")
        for name in above:
            part = part.setdefault(name, {})
        part[last] = level
    rate = settings.get("optimizer.learning_rate", 0.001)
    writer = RunWriter(path, config, seed=seed)
    for epoch in range(EPOCHS):
        value = 0.01 if ill and not epoch % 2 else jaccard - 0.3 * (1 - epoch / (EPOCHS - 1))
        loss = (1.0, 0.6)[epoch] if epoch < 2 else 0.3 + rate * (-1) ** epoch  # σ over the last 10 ∝ rate
        logs = {"loss": loss, "val_loss": loss, "val_jaccard": value, "seconds": 2.0}
        writer.log_epoch(epoch, logs)
    writer.finish(status)
    return path
