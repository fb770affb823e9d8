"""The configurations that are shipped train as they are, on less of their data."""

import io

import numpy as np
import pytest

from unetdyn.experiment import load_config, run_experiment

LESS = {
    "two_stage": ["stages.0.epochs=1", "stages.1.epochs=1"],
    "studies_broken": ["fit.epochs=1", "callbacks.update=null"],
    "studies_mended": ["fit.epochs=1", "callbacks.update=null"],
}
SMALL = ["data.sections=5", "data.size=64", "data.tile=32", "model.filters=2", "fit.batch_size=4"]
SPLIT = "data.split={train: [0, 1], validation: [3, 3], test: [4, 4], gap: 0}"
WATCHED = [
    f"callbacks.{name}=null" for name in ("gradient", "noise_scale", "batch", "mode_gap", "flips", "predictions")
]


@pytest.mark.parametrize("name", LESS)
def test_recipe_trains(repository, tmp_path, name):
    overrides = [*SMALL, SPLIT, *WATCHED, *LESS[name], f"run_directory={tmp_path / 'run'}"]
    run = run_experiment(load_config(repository / f"configs/{name}.yaml", overrides), io.StringIO())
    assert run.status == "finished"
    assert np.isfinite(run.history["val_loss"]).all()
    assert len(run.epochs) == sum("epochs" in override for override in LESS[name])
    if name == "two_stage":
        assert [(stage["name"], stage["epoch"]) for stage in run.stages] == [("from_scratch", 0), ("fine_tuning", 1)]
        assert run.arrays("momentum")["step"].tolist() == [0, 1]
        assert run.arrays("update")["step"].tolist() == [0, 1, 2, 3]
    else:
        assert "val_soft_jaccard" in run.history
