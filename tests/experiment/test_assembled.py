"""What can't train is refused before anything does."""

import io

import pytest

from unetdyn.experiment import ConfigError, parse_config, run_experiment


def test_walltime_without_a_state_is_refused(tmp_path):
    config = {"data": {"kind": "synthetic"}, "fit": {"keep_state": False}, "run_directory": str(tmp_path / "run")}
    with pytest.raises(ConfigError, match=r"A walltime needs `fit\.keep_state`.* Received: keep_state=False"):
        run_experiment(parse_config(config), io.StringIO(), walltime=60)
    assert not (tmp_path / "run").exists()
