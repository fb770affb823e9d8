"""The command `sweep plan`: what it prints, and how it ends."""

import json

import pytest

from unetdyn.sweeps.timing import Timing

DESIGN = "name: small\nbase: c.yaml\nfactors: {fit.batch_size: [4, 8]}\nseeds: 2\n"


@pytest.fixture
def timed(monkeypatch):
    asked = []

    def timer(config):
        asked.append(config)
        return Timing(epoch=1800.0, once=0.0)

    monkeypatch.setattr("unetdyn.sweeps.timing.time_run", timer)
    return asked


def test_plan_freezes_and_says_what_it_takes(invoke, tmp_path, timed):
    (tmp_path / "sweep.yaml").write_text(DESIGN)
    result = invoke("sweep", "plan", "sweep.yaml")
    assert result.exit_code == 0, result.output
    assert "4: 2 combinations × 2 seeds" in result.output
    assert "about 2 hours" in result.output
    assert "next      unetdyn sweep run sweep.yaml" in result.output
    assert len(json.loads((tmp_path / "sweeps/small/sweep.json").read_text())["rows"]) == 4
    assert len(timed) == 2


def test_plan_without_timing_times_nothing(invoke, tmp_path, timed):
    (tmp_path / "sweep.yaml").write_text(DESIGN)
    assert invoke("sweep", "plan", "sweep.yaml", "--no-timing").exit_code == 0
    assert timed == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.yaml"], "which is not there"),
        (["sweep.yaml", "--no-timing", "--variance-from", "run"], "must have runs that were repeated with other seeds"),
        (["sweep.yaml", "--no-timing", "--variance-from", "none"], "none"),
    ],
)
def test_plan_that_cannot_be_done_ends_with_a_sentence(invoke, run, tmp_path, arguments, message):
    (tmp_path / "sweep.yaml").write_text(DESIGN)
    result = invoke("sweep", "plan", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "sweeps").exists()


def test_plan_twice_ends_with_a_sentence(invoke, tmp_path):
    (tmp_path / "sweep.yaml").write_text(DESIGN)
    assert invoke("sweep", "plan", "sweep.yaml", "--no-timing").exit_code == 0
    result = invoke("sweep", "plan", "sweep.yaml", "--no-timing")
    assert result.exit_code == 2
    assert "must not be planned twice" in result.stderr
