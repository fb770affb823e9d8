"""Timing trains two epochs in a folder that is gone afterwards."""

import tempfile

from unetdyn.experiment import parse_config
from unetdyn.sweeps.timing import Timing, time_run

CONFIG = {
    "data": {
        "kind": "synthetic",
        "sections": 4,
        "size": 64,
        "tile": 32,
        "split": {"train": [0, 1], "validation": [3, 3]},
    },
    "model": {"architecture": "UNet", "filters": 2, "depth": 1},
    "optimizer": {"warmup_epochs": 4, "schedule": "cosine"},
    "fit": {"epochs": 50},
    "callbacks": dict.fromkeys(("gradient", "update", "noise_scale", "batch", "mode_gap", "flips", "predictions")),
}


def test_time_run_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = time_run(parse_config(CONFIG))
    assert found.epoch > 0
    assert found.once > 0
    assert list(tmp_path.iterdir()) == []


def test_of_run_counts_what_comes_once():
    assert Timing(epoch=3.0, once=7.0).of_run(4) == 19.0
