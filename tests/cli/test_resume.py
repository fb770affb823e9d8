"""A training that is ended again and again, and carried on, is the training that never was."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from unetdyn import runs
from unetdyn.callbacks import endings
from unetdyn.cli import main
from unetdyn.experiment.progress import Progress
from unetdyn.runs.state_store import StateStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX's")

CONFIG = """
data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3], test: [5, 5]}}
model: {architecture: UNet, filters: 2, depth: 1, dropout: 0.2}
fit: {epochs: 4, batch_size: 2}
optimizer: {learning_rate: 0.01}
callbacks:
  {stability: {window: 2}, gradient: null, update: null, noise_scale: null, batch: null, mode_gap: null, flips: null,
   predictions: null, early_stopping: {monitor: val_loss, patience: 9},
   reduce_lr_on_plateau: {patience: 1, min_delta: 10}}
"""
STAGES = CONFIG.replace("fit: {epochs: 4, batch_size: 2}", "fit: {batch_size: 2}") + (
    "stages: [{epochs: 2, frozen: [enc1], optimizer: {kind: sgd}}, {epochs: 2}]\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("resume")


@pytest.fixture
def command(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "whole.yaml").write_text(CONFIG)
    (folder / "stages.yaml").write_text(STAGES)

    def call(*arguments, at=None):
        """Has SIGTERM sent before a step, or at the end of an epoch: its epoch and its number from 0, or None."""
        for left in [*endings._attending, call]:  # by a `fit` that an exception ended, in this process; or by none
            endings.leave(left)
        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_epoch = Progress.on_epoch_end

        def on_train_batch_begin(self, batch, logs=None):
            if (self._epoch, batch) == at:
                os.kill(os.getpid(), signal.SIGTERM)

        def on_epoch_end(self, epoch, logs=None):
            end_epoch(self, epoch, logs)
            if (epoch, None) == at:
                os.kill(os.getpid(), signal.SIGTERM)

        with monkeypatch.context() as patched:
            patched.setattr(Progress, "on_train_batch_begin", on_train_batch_begin)
            patched.setattr(Progress, "on_epoch_end", on_epoch_end)
            try:
                return CliRunner().invoke(main, arguments)
            finally:
                signal.signal(signal.SIGTERM, before)

    return call


def assert_same(one, other):
    """Histories, and all variables at the end: of the model, and of the optimizer."""
    one, other = runs.open(one), runs.open(other)
    assert one.status == other.status == "finished"
    rows = [[{**row, "seconds": 0} for row in run.epochs] for run in (one, other)]
    assert repr(rows[0]) == repr(rows[1])
    states = [StateStore(run.path / "state").read().tree["variables"] for run in (one, other)]
    assert states[0].keys() == states[1].keys()
    for place, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][place], err_msg=place)
    for name, values in one.arrays("stability").items():
        np.testing.assert_array_equal(values, other.arrays("stability")[name], err_msg=name)
    assert one.summary["best_epoch"] == other.summary["best_epoch"]
    assert one.summary["test_jaccard"] == other.summary["test_jaccard"]


def assert_refused_with_other_data(command, path):
    shutil.copytree(path, "other")
    file = Path("other/run.json")
    header = json.loads(file.read_text())
    header["config"]["data"]["seed"] = 7
    file.write_text(json.dumps(header))
    before = {each: each.read_bytes() for each in Path("other").rglob("*") if each.is_file()}
    ended = command("resume", "other")
    assert ended.exit_code == 2, ended.output
    assert "whose state is of another one: data.images.checksum was" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert {each: each.read_bytes() for each in Path("other").rglob("*") if each.is_file()} == before


def test_training_that_was_ended_three_times_is_the_one_that_was_not(command):
    """By the walltime before its first step, in the midst of an epoch, and by its own end, from which it goes on."""
    assert command("train", "whole.yaml", "--set", "run_directory=whole").exit_code == 0

    ended = command("train", "whole.yaml", "--set", "run_directory=often", "--set", "fit.epochs=3", "--walltime", "61")
    assert ended.exit_code == 75, ended.output
    assert "Stopped before the walltime. What there is of the run is in often. Carry on: unetdyn resume often" in (
        ended.stderr
    )
    ended = command("resume", "often", at=(1, 2))
    assert ended.exit_code == 143, ended.output
    assert ended.stderr.startswith("Stopped by SIGTERM.")
    assert runs.open("often").status == "interrupted"
    assert_refused_with_other_data(command, "often")
    ended = command("resume", "often")
    assert ended.exit_code == 0, ended.output
    assert "Carrying on often at epoch 2, step 3" in ended.output
    assert "epoch 3/3" in ended.output

    ended = command("resume", "often")
    assert ended.exit_code == 0, ended.output
    assert "Nothing is left to do: often is finished, with 3 epochs." in ended.output
    ended = command("resume", "often", "--epochs", "4")
    assert ended.exit_code == 0, ended.output
    assert "epoch 4/4" in ended.output
    assert runs.open("often").config["fit"]["epochs"] == 4
    assert_same("whole", "often")


def test_stages_go_on_with_the_one_that_was_cut_off(command):
    assert command("train", "stages.yaml", "--set", "run_directory=two").exit_code == 0
    assert command("train", "stages.yaml", "--set", "run_directory=cut", at=(1, None)).exit_code == 143
    ended = command("resume", "cut", at=(2, 1))
    assert ended.exit_code == 143, ended.output
    ended = command("resume", "cut")
    assert ended.exit_code == 0, ended.output
    assert "Stage stage2" in ended.output
    assert "Stage stage1" not in ended.output
    run = runs.open("cut")
    assert [(stage["name"], stage["epoch"]) for stage in run.stages] == [("stage1", 0), ("stage2", 2)]
    assert [stage["setup"] for stage in run.stages] == [stage["setup"] for stage in runs.open("two").stages]
    assert [event["stage"] for event in run.events if event["kind"] == "stage"] == ["stage1", "stage2"]
    assert_same("two", "cut")
