"""Planning: what is frozen, what is said before anything is spent, and that nothing is left behind."""

import io

import pytest

from unetdyn.analysis.result import number
from unetdyn.runs import RunWriter
from unetdyn.sweeps.detectable import detectable
from unetdyn.sweeps.noise import ASSUMED
from unetdyn.sweeps.planning import plan
from unetdyn.sweeps.row_config import config_of
from unetdyn.sweeps.table import SweepError, open_sweep
from unetdyn.sweeps.timing import Timing

DESIGN = """
name: small
base:
  data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3], test: [5, 5]}}
  model: {filters: 2, depth: 1}
  fit: {epochs: 10}
factors:
  model.architecture: [UNet, AttentionUNet]
  optimizer.learning_rate: [1.0e-3, 5.0e-3]
blocks:
  data.seed: [0, 1]
seeds: 3
exclude:
  - {model.architecture: UNet, optimizer.learning_rate: 5.0e-3}
  - {model.architecture: AttentionUNet, optimizer.learning_rate: 5.0e-3, data.seed: 1}
"""


def sixty_seconds(config):
    return Timing(epoch=5.0, once=10.0)


def nobody(config):
    raise AssertionError("nothing is timed here")


@pytest.fixture
def planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(DESIGN)
    stream = io.StringIO()

    def call(text=DESIGN, **arguments):
        (tmp_path / "sweep.yaml").write_text(text)
        return plan("sweep.yaml", stream, **{"timer": sixty_seconds, **arguments}), stream.getvalue()

    return call


def test_plan_freezes_rows_that_can_be_trained(planned, tmp_path):
    sweep, _ = planned()
    assert sweep.rows == open_sweep(tmp_path / "sweeps/small").rows
    assert {key: set(levels) for key, levels in sweep.factors.items()} == {
        "model.architecture": {"UNet", "AttentionUNet"},
        "optimizer.learning_rate": {0.001, 0.005},
    }
    assert len(sweep.rows) == 15
    for row in sweep.rows:
        config = config_of(sweep, row.number)
        assert config.model.architecture == row.settings["model.architecture"]
        assert config.optimizer.learning_rate == row.settings["optimizer.learning_rate"]
        assert (config.data.seed, config.seed) == (row.blocks["data.seed"], row.seed)
    assert {"unetdyn", "keras", "backend", "python"} <= set(sweep.versions)
    assert sweep.design["seeds"] == 3


def test_plan_says_how_many_and_what_is_left_out(planned):
    _, text = planned()
    assert "15: 3 combinations × 2 blocks × 3 seeds" in text
    assert "1 combination and 3 runs of others, by `exclude`" in text
    assert "about 0.25 hours on this machine" in text  # 15 runs of 60 seconds
    assert "2 of 15 rows were timed" in text
    assert "assumed to be 0.027" in text


def test_plan_shows_what_detectable_says(planned):
    sweep, text = planned()
    for each in detectable(sweep.rows, ASSUMED.sigma).values():
        line = next(line for line in text.splitlines() if line.split()[:1] == [each.factor] and "%" in line)
        assert line.split()[1:3] == [number(each.difference), number(each.twice)]
        assert line.split()[3::2] == [f"{100 * each.power_medium:.0f}", f"{100 * each.power_large:.0f}"]


def test_plan_without_timing_trains_nothing(planned):
    sweep, text = planned(timed=False, timer=nobody)
    assert len(sweep.rows) == 15
    assert "hours" not in text


def test_plan_refuses_to_plan_twice_before_it_times(planned):
    sweep, _ = planned()
    before = (sweep.path / "sweep.json").read_bytes()
    with pytest.raises(
        FileExistsError, match=r"must not be planned twice.* Carry on with `unetdyn sweep run sweep\.yaml`"
    ):
        planned(timer=nobody)
    assert (sweep.path / "sweep.json").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("optimizer.learning_rate: [1.0e-3, 5.0e-3]", "optimizer.learning_rate: [-1, 5.0e-3]", "12 of 15 that can't"),
        ("filters: 2", "filtres: 2", "Did you mean 'filters'"),
        ("seeds: 3", "seed: 3", "Did you mean 'seeds'"),
    ],
)
def test_plan_that_is_refused_leaves_nothing(planned, tmp_path, old, new, message):
    with pytest.raises(SweepError, match=message):
        planned(DESIGN.replace(old, new), timer=nobody)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_plan_makes_paths_absolute_in_base_and_levels(planned, tmp_path):
    text = (
        "name: paths\nbase: {data: {kind: folder, path: one}, run_directory: runs/x}\nseeds: 1\n"
        "factors: {fit.epochs: [1, 2]}\nblocks: {data.path: [one, ../two]}\n"
    )
    sweep, _ = planned(text)
    assert sweep.base == {"data": {"kind": "folder", "path": str(tmp_path / "one")}}
    assert {row.blocks["data.path"] for row in sweep.rows} == {str(tmp_path / "one"), f"{tmp_path}/../two"}
    assert config_of(sweep, 1).run_directory == sweep.run_path(1)


def test_plan_a_latin_hypercube_with_a_range(planned):
    text = (
        "name: lhs\nbase: {data: {kind: synthetic}}\nseeds: 1\ndesign: {kind: latin_hypercube, runs: 8}\n"
        "factors: {optimizer.learning_rate: {low: 1e-4, high: 1e-2, log: true}, fit.batch_size: [8, 16]}\n"
    )
    sweep, said = planned(text)
    assert len({row.settings["optimizer.learning_rate"] for row in sweep.rows}) == 8
    assert "optimizer.learning_rate: 0.0001 to 0.01 (log)" in said
    assert "two levels (or ends of a range)" in " ".join(said.split())


def test_plan_with_a_timer_that_fails_leaves_nothing(planned, tmp_path):
    def broken(config):
        raise OSError("no such data")

    with pytest.raises(OSError, match="no such data"):
        planned(timer=broken)
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_plan_takes_the_noise_of_runs(planned, tmp_path):
    paths = []
    for seed, jaccard in enumerate([0.60, 0.64, 0.62]):
        writer = RunWriter(tmp_path / f"{seed}", config={"model": {"architecture": "UNet"}}, seed=seed)
        writer.log_epoch(0, {"val_jaccard": jaccard})
        writer.finish()
        paths.append(writer.path)
    sweep, said = planned(variance_from=paths)
    each = detectable(sweep.rows, 0.02)["model.architecture"]
    assert f"model.architecture       {number(each.difference)} " in said
    assert "σ between seeds is 0.02 in the best val_jaccard" in said


def test_plan_of_one_seed_says_what_it_cannot_show(planned):
    text = "name: one\nbase: {data: {kind: synthetic}}\nseeds: 1\nfactors: {fit.epochs: [1, 2]}\n"
    _, said = planned(text)
    assert "fit.epochs: no run is left over to measure the noise: give more seeds" in said
    assert "with one seed, interactions can't be told from the noise" in said
