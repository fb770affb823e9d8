"""The configuration of a row: what was planned, or a sentence."""

from copy import deepcopy
from pathlib import Path

import pytest

from unetdyn.experiment import parse_config
from unetdyn.sweeps.row_config import anchored, checked, config_hash, config_of, row_values
from unetdyn.sweeps.table import Row, SweepError, freeze

BASE = {"data": {"kind": "synthetic"}, "stages": [{"epochs": 2}, {"epochs": 3}], "optimizer": {"schedule": "cosine"}}
ROWS = [
    Row(1, 1, 4, {"optimizer.schedule.floor": 0.1, "stages.1.epochs": 7}, {"data.seed": 1}, ""),
    Row(2, 2, 4, {"optimizer.schedule.floor": 0.2, "stages.1.epochs": 7}, {"data.seed": 1}, ""),
]


def frozen(path, base=BASE, rows=ROWS, version="0.0.9"):
    rows, _ = checked(base, rows)
    return freeze(path, "x", "", {"unetdyn": version}, {}, base, rows)


def test_config_of_has_base_settings_blocks_seed_and_directory(tmp_path):
    before = deepcopy(BASE)
    sweep = frozen(tmp_path)
    config = config_of(sweep, 1)
    assert config.optimizer.schedule.floor == 0.1
    assert [stage.epochs for stage in config.stages] == [2, 7]
    assert (config.data.seed, config.seed, config.run_directory) == (1, 4, sweep.run_path(1))
    assert config_hash(config) == sweep.row(1).config != sweep.row(2).config
    assert before == BASE


def test_config_of_a_sweep_that_was_moved_is_the_same(tmp_path):
    sweep = frozen(tmp_path / "here")
    sweep.path.rename(tmp_path / "there")
    from unetdyn.sweeps.table import open_sweep

    moved = open_sweep(tmp_path / "there")
    assert config_of(moved, 2).run_directory == tmp_path / "there/runs/0002"


def test_config_of_with_other_defaults_is_refused(tmp_path, monkeypatch):
    sweep = frozen(tmp_path)
    monkeypatch.setattr("unetdyn.sweeps.row_config.config_hash", lambda config: "other")
    message = (
        r"Row 2 .* with unetdyn 0\.0\.9\. Received: unetdyn .*defaults have changed.* Install unetdyn 0\.0\.9 to go on"
    )
    with pytest.raises(SweepError, match=message):
        config_of(sweep, 2)


def test_config_of_with_a_changed_default_has_another_hash():
    values = row_values({"data": {"kind": "synthetic"}}, Row(1, 1, 0, {}, {}, ""))
    config = parse_config(values)
    other = config.model_copy(update={"model": config.model.model_copy(update={"filters": 17})})
    assert config_hash(config) != config_hash(other)


def test_config_of_with_a_key_that_is_gone_is_refused(tmp_path):
    sweep = freeze(tmp_path, "x", "", {"unetdyn": "0.0.9"}, {}, BASE | {"fitt": {}}, ROWS)
    with pytest.raises(SweepError, match=r"it is refused now \(.*unknown key 'fitt'.*\)\. Install unetdyn 0\.0\.9"):
        config_of(sweep, 1)


def test_config_of_no_row_is_refused(tmp_path):
    with pytest.raises(SweepError, match=r"must be from 1 to 2\. Received: 3"):
        config_of(frozen(tmp_path), 3)


def test_checked_tells_every_fault_with_its_settings():
    rows = [
        Row(1, 1, 0, {"fit.epochs": 0, "model.norm": "batch"}, {}, ""),
        Row(2, 2, 0, {"fit.epochs": 3, "model.norm": "bach"}, {}, ""),
        Row(3, 2, 1, {"fit.epochs": 3, "model.norm": "bach"}, {}, ""),
        Row(4, 3, 0, {"fit.epochs": 3, "model.norm": "group"}, {}, ""),
    ]
    with pytest.raises(SweepError) as caught:
        checked({"data": {"kind": "synthetic"}}, rows)
    text = str(caught.value)
    assert "Received: 3 of 4 that can't" in text
    assert "than 0. Received: 0 (with fit.epochs=0, model.norm='batch', seed=0; 1 of the rows)" in text
    assert "Did you mean 'batch'? (with fit.epochs=3, model.norm='bach', seed=0; 2 of the rows)" in text


def test_checked_unknown_key_names_the_nearest():
    with pytest.raises(SweepError, match=r"in `fit`, unknown key 'batchsize'\. Did you mean 'batch_size'\?"):
        checked({"data": {"kind": "synthetic"}}, [Row(1, 1, 0, {"fit.batchsize": 8}, {}, "")])


def test_checked_two_rows_that_are_one_training_are_refused():
    rows = [Row(n, n, 0, {"fit.steps_per_execution": level}, {}, "") for n, level in enumerate([1, 1.0], 1)]
    with pytest.raises(SweepError, match="must be a training of its own"):
        checked({"data": {"kind": "synthetic"}}, rows)


def test_checked_leaves_no_list_for_a_key():
    with pytest.raises(SweepError, match=r"a number from 0 to 1\. Received: '5' in the factor 'stages\.5\.epochs'"):
        checked(BASE, [Row(1, 1, 0, {"stages.5.epochs": 1}, {}, "")])


def test_anchored_paths_lead_to_the_same_place_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert anchored({"data": {"kind": "folder", "path": "em"}})["data"]["path"] == str(tmp_path / "em")
    assert anchored({"data.path": "~/em", "fit.epochs": 3}) == {"data.path": str(tmp_path / "home/em"), "fit.epochs": 3}
    assert anchored({"data": {"kind": "folder", "path": 3}}) == {"data": {"kind": "folder", "path": 3}}
    assert Path(anchored({"data.path": "/em"})["data.path"]) == Path("/em")
