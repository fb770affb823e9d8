"""A training that a search ends early: whole in its record, said so there, and no stage begins after it."""

import io
from types import SimpleNamespace

import pytest

from unetdyn import runs
from unetdyn.experiment import parse_config, resume_experiment, run_experiment
from unetdyn.sweeps.pruning_reports import PruningReports


class Trial:
    """As an `optuna.Trial` whose pruner wants it ended after an epoch."""

    def __init__(self, end_after=None):
        self.number, self.reports, self.end_after = 0, [], end_after
        self.study = SimpleNamespace(pruner=SimpleNamespace())

    def report(self, value, step):
        self.reports.append((step, value))

    def should_prune(self):
        return self.end_after is not None and self.reports[-1][0] >= self.end_after


def after(callback, epoch, logs):
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_epoch_end(epoch, logs)
    return callback.model.stop_training


def test_each_epoch_is_reported_once_and_one_without_the_value_is_not():
    trial = Trial()
    reports = PruningReports(trial, "val_dice", reported=[0])
    for epoch, logs in enumerate([{"val_dice": 0.1}, {"val_dice": 0.2}, {"loss": 0.3}, None, {"val_dice": 0.4}]):
        assert not after(reports, epoch, logs)
    assert not after(reports, 4, {"val_dice": 0.4})
    assert trial.reports == [(1, 0.2), (4, 0.4)]


def test_several_objectives_report_nothing_and_ask_our_own_signal():
    trial = Trial(0)
    reports = PruningReports(trial, ask=iter(["", "divergence: so"]).__next__)
    assert not after(reports, 0, {"val_jaccard": 0.1})
    assert after(reports, 1, {"val_jaccard": 0.1})
    assert (trial.reports, reports.pruned, reports.ends_training) == ([], "divergence: so", True)


def test_state_brings_back_what_was_reported():
    first, second = PruningReports(Trial()), PruningReports(Trial(), reported=[3])
    after(first, 2, {"val_jaccard": 0.5})
    second.set_state(first.get_state())
    for epoch in (2, 3, 4):
        after(second, epoch, {"val_jaccard": 0.5})
    assert second.trial.reports == [(4, 0.5)]


def test_real_training_in_stages_ends_with_the_stage_in_which_it_was_pruned(tmp_path):
    config = parse_config(
        {
            "run_directory": str(tmp_path / "run"),
            "data": {"kind": "synthetic", "sections": 6, "size": 64, "tile": 32,
                     "split": {"train": [0, 1], "validation": [3, 3], "test": [5, 5]}},
            "model": {"architecture": "UNet", "filters": 2, "depth": 1},
            "stages": [{"epochs": 4}, {"epochs": 1}],
        }
    )  # fmt: skip
    trial = Trial(end_after=1)
    run = run_experiment(config, io.StringIO(), also=[PruningReports(trial)])
    assert run.status == "finished"
    assert [epoch for epoch, _ in trial.reports] == [0, 1]
    assert [value for _, value in trial.reports] == run.history["val_jaccard"].tolist()
    assert [stage["name"] for stage in run.stages] == ["stage1"]
    (event,) = [event for event in run.events if event["kind"] == "pruned"]
    assert (event["epoch"], event["reason"]) == (1, "by SimpleNamespace")
    assert run.summary["pruned_after"] == 2
    assert "test_jaccard" in run.summary
    assert run.model_path is not None
    again = resume_experiment(tmp_path / "run", stream=io.StringIO(), also=[PruningReports(trial)])
    assert len(again.epochs) == len(runs.open(tmp_path / "run").epochs) == 2


def test_example_of_optuna_is_right(tmp_path):
    """Its docstring, with a pruner that ends every trial."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        reports = PruningReports(trial, "loss")
        if after(reports, 0, {"loss": 2.0}):
            raise optuna.TrialPruned(reports.pruned)
        return 0.0

    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state.name == "PRUNED"
