"""An experiment on real sections: many steps, which the other tests of experiments have not."""

import io

import numpy as np

from unetdyn.experiment import parse_config, run_experiment
from unetdyn.experiment.monitors import offered

UNWATCHED = {declared.name: None for declared, section in offered() if not section.required}
"""Every monitor that can be left out is: this is about what is learnt."""


def test_run_experiment_trains_on_the_real_sections(vnc_mito, tmp_path):
    config = {
        "data": {
            "kind": "folder",
            "path": str(vnc_mito),
            "downsample": 4,
            "tile": 64,
            "split": {"train": [0, 12], "validation": [14, 15], "test": [17, 19]},
        },
        "model": {"architecture": "UNet", "filters": 8, "depth": 2},
        "loss": {"kind": "soft_jaccard"},
        "optimizer": {"learning_rate": 0.01},
        "fit": {"epochs": 6},
        "callbacks": UNWATCHED,
        "run_directory": str(tmp_path / "run"),
    }
    run = run_experiment(parse_config(config), io.StringIO())
    # the best single grey-level threshold scores 0.13 on these sections
    assert np.max(run.history["val_jaccard"]) > 0.3
    assert run.summary["test_jaccard"] > 0.3
