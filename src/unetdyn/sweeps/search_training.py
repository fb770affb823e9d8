"""One trial of a search: its trainings, each with a run directory, and the values that they came to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn import runs
from unetdyn.analysis.comparison.summary import RunSummary, summarise
from unetdyn.experiment import Config, load_config, resume_experiment, run_experiment
from unetdyn.runs.strict_json import dumps
from unetdyn.sweeps.pruning_reports import PRUNED
from unetdyn.sweeps.pruning_signals import TrialRecord
from unetdyn.sweeps.search_space import Search, settings
from unetdyn.sweeps.search_trials import RUNS
from unetdyn.sweeps.table import SweepError

Train = Callable[[Config, Sequence[keras.callbacks.Callback]], runs.Run]
"""Trains as configured, with further callbacks, and leaves a run directory at `config.run_directory`."""


def trained(walltime: float | None = None) -> Train:
    """What trains: from the beginning, or on from where a run was cut off.

    Args:
        walltime: See `run_experiment`.
    """

    def train(config: Config, also: Sequence[keras.callbacks.Callback]) -> runs.Run:
        path = config.run_directory
        assert path is not None, "each run of a search has a place"
        if (path / "run.json").is_file():
            return resume_experiment(path, walltime=walltime, also=also)
        return run_experiment(config, walltime=walltime, also=also)

    return train


def config_of(base: Path, search: Search, params: dict[str, Any], run: Path, seed: int) -> Config:
    """The configuration of one training.

    Args:
        base: The file of the configuration in which settings change.
        search: What the search's file says.
        params: As Optuna has them.
        run: The run directory.
        seed: What is added to the base's seed.

    Raises:
        ConfigError: If the settings make no configuration.
    """
    given = {**settings(search, params), "run_directory": str(run)}
    overrides = [f"{key}={dumps(value)}" for key, value in given.items()]
    first = load_config(base, overrides)
    return load_config(base, [*overrides, f"seed={first.seed + seed}"])


def run_path(folder: Path, number: int) -> Path:
    """The run directory of a number, from 1."""
    return folder / "runs" / f"{number:04d}"


def numbers_of(trial: int, seeds: int) -> list[int]:
    """The runs of a trial: nobody else's, as its number is nobody else's.

    >>> numbers_of(0, 3), numbers_of(1, 3)
    ([1, 2, 3], [4, 5, 6])
    """
    return list(range(trial * seeds + 1, (trial + 1) * seeds + 1))


def why_pruned(run: runs.Run) -> str:
    """Why a run was ended early; empty where it was not."""
    return next((str(event.get("reason", "")) for event in run.events if event.get("kind") == PRUNED), "")


def objective_values(search: Search, finished: Sequence[runs.Run]) -> list[float]:
    """The objectives of a trial: the mean over its trainings.

    Raises:
        SweepError: If one of them has no such value.
    """
    found = [[_value(name, summarise(run, metric=search.metric)) for name in search.objectives] for run in finished]
    return [float(value) for value in np.mean(found, axis=0)]


class RunRecords:
    """What `StabilityPruner` looks at, read from run directories: the first training of a trial.

    Args:
        folder: Of the search.
        metric: Whose validation is the objective.
    """

    def __init__(self, folder: Path, metric: str) -> None:
        self._folder, self._metric = folder, metric

    def __call__(self, trial: Any) -> TrialRecord:
        """Of an `optuna.trial.FrozenTrial`, or of anything with its `user_attrs`."""
        number = trial.user_attrs[RUNS][0]
        try:
            history = runs.open(run_path(self._folder, number)).history
        except OSError:  # nothing was trained, or it was removed
            return TrialRecord.of([])
        none: list[float] = []
        return TrialRecord.of(
            history.get(f"val_{self._metric}", none), history.get("loss", none), history.get("val_loss", none)
        )


def _value(objective: str, run: RunSummary) -> float:
    value = getattr(run, objective)
    if objective == "stability" and np.isnan(value) and run.epochs >= run.window:
        return np.inf  # a loss that left the real numbers is the least stable of all
    if value is None or np.isnan(value):
        raise SweepError(f"{run.name} has no {objective}: {'; '.join(run.notes) or 'it was not recorded'}.")
    return float(value)
