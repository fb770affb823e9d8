"""σ between seeds: from runs, and what is assumed where there are none."""

import json

import numpy as np
import pytest

from unetdyn.runs import RunWriter
from unetdyn.sweeps.noise import ASSUMED, noise_of
from unetdyn.sweeps.table import Row, SweepError, freeze


def run(path, jaccard, seed, architecture="UNet", rate=0.001):
    config = {"model": {"architecture": architecture}, "optimizer": {"learning_rate": rate}, "seed": seed}
    writer = RunWriter(path, config=config, seed=seed)
    writer.log_epoch(0, {"loss": 0.5, "val_jaccard": jaccard})
    writer.finish()
    return writer.path


def runs_in(folder, cells=4, seeds=3, sigma=0.02):
    """Each cell with a mean of its own; the pooled variance within them is the reference."""
    noise = sigma * np.random.default_rng(0).normal(size=(cells, seeds))
    values = 0.5 + 0.1 * np.arange(cells)[:, None] + noise
    paths = [
        run(
            folder / f"{cell}-{seed}", float(values[cell, seed]), seed, ["UNet", "AttentionUNet"][cell % 2], 10.0**-cell
        )
        for cell in range(cells)
        for seed in range(seeds)
    ]
    return paths, float(np.sqrt(np.mean(np.var(values, axis=1, ddof=1))))


def test_noise_is_the_pooled_scatter_of_runs_that_differ_in_their_seed_alone(tmp_path):
    paths, expected = runs_in(tmp_path)
    found = noise_of(paths)
    assert found.sigma == pytest.approx(expected, rel=1e-3)
    assert "12 runs" in found.source
    assert "val_jaccard" in found.source


def test_noise_takes_the_runs_of_a_sweep_as_far_as_they_are_there(tmp_path):
    rows = [Row(n, n, 0, {}, {}, "") for n in range(1, 21)]
    sweep = freeze(tmp_path / "sweep", "x", "", {}, {}, {}, rows)
    paths, expected = runs_in(tmp_path)
    for number, path in enumerate(paths, 1):
        path.rename(sweep.run_path(number))
    assert noise_of([sweep.path]).sigma == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("seeds", "values"), [((0,), (0.5,)), ((0, 1), (0.5, 0.5))])
def test_noise_of_runs_that_do_not_tell_is_refused(tmp_path, seeds, values):
    paths = [run(tmp_path / f"{seed}", value, seed) for seed, value in zip(seeds, values, strict=True)]
    with pytest.raises(SweepError, match=r"`--variance-from` must have runs that were repeated.* Leave it out"):
        noise_of(paths)


def test_noise_of_a_sweep_that_has_not_begun_is_refused(tmp_path):
    sweep = freeze(tmp_path / "sweep", "x", "", {}, {}, {}, [Row(1, 1, 0, {}, {}, "")])
    with pytest.raises(SweepError, match=r"`--variance-from` must have runs\. Received: .*, where none began"):
        noise_of([sweep.path])


def test_assumed_noise_is_that_of_the_benchmark(repository):
    measured = json.loads((repository / "benchmarks/truth/controls.json").read_text())["rows"]
    best = {}
    for row in measured:
        if row["arm"] == "nothing" and row["setup"] != "wild":
            best.setdefault((row["data"], row["setup"]), []).append(row["best"])
    deviations = [np.std(values, ddof=1) for values in best.values()]
    assert (len(best), {len(values) for values in best.values()}) == (4, {5})
    assert ASSUMED.sigma == round(float(np.sqrt(np.mean(np.square(deviations)))), 3)
    assert f"{min(deviations):.3f} to {max(deviations):.3f}" in ASSUMED.source
