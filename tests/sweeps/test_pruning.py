"""The pruner in Optuna, and a share of the measurement of how often it ends an eventual winner."""

import sys

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from unetdyn.sweeps.pruning import StabilityPruner  # noqa: E402
from unetdyn.sweeps.pruning_signals import TrialRecord  # noqa: E402


@pytest.fixture(autouse=True)
def _silent():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def studied(pruner, direction, ends):
    """Each trial rises, or falls, to its end; where it was ended."""
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(direction=direction, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
    for end in ends:
        trial, state = study.ask(), optuna.trial.TrialState.COMPLETE
        values = sign * end * (1 - np.exp(-np.arange(40) / 5)) + (0 if sign > 0 else 2)
        for epoch, value in enumerate(values):
            trial.report(value, epoch)
            if trial.should_prune():
                state = optuna.trial.TrialState.PRUNED
                break
        study.tell(trial, values[-1] if state.name == "COMPLETE" else None, state)
    return study


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_pruner_ends_what_is_heading_to_less_in_either_direction(direction):
    pruner = StabilityPruner()
    study = studied(pruner, direction, [0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.95, 0.3])
    assert [trial.number for trial in study.trials if trial.state.name == "PRUNED"] == [5, 7]
    assert study.trials[5].last_step == 14
    assert {number: signal.kind for number, signal in pruner.why.items()} == {5: "convergence", 7: "convergence"}


def test_pruner_reads_each_finished_record_once():
    read = []

    def records(trial):
        read.append((trial.number, trial.state.name))
        return TrialRecord.of([trial.intermediate_values[step] for step in sorted(trial.intermediate_values)])

    studied(StabilityPruner(records=records), "maximize", [0.5, 0.6, 0.7])
    assert [number for number, state in read if state == "COMPLETE"] == [0, 1]


def test_pruner_needs_a_value(tmp_path):
    study = optuna.create_study(pruner=StabilityPruner())
    assert not study.ask().should_prune()


def test_eventual_winner_is_ended_no_more_often_than_stated(repository, monkeypatch):
    """A share of `benchmarks/pruning_truth.py`: where slower curves end higher, and where the rate drops."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    sys.modules.pop("pruning_truth", None)
    import pruning_truth as truth

    ours, other = "StabilityPruner(rate=0.05)", "SuccessiveHalvingPruner()"
    found = truth.measured(1, seed=20, pruners=[ours, other], families=[truth.crossing, truth.dropped_rate])
    assert sum(each["winners_pruned"] for each in found[ours].values()) == 0
    assert all(0.05 < each["epochs_saved"] < 0.6 for each in found[ours].values())
    assert sum(each["winners_pruned"] for each in found[other].values()) >= 1
