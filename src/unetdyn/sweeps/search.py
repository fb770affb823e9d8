"""An adaptive search: Optuna says what to try next, and each trial is a run directory, or one for each seed."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from unetdyn.experiment.run import tell
from unetdyn.runs import Run
from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.pruning_reports import PruningReports
from unetdyn.sweeps.pruning_signals import PruningRule, reason_to_prune
from unetdyn.sweeps.search_folder import BASE, begun
from unetdyn.sweeps.search_space import Search, read_search
from unetdyn.sweeps.search_study import distributions, open_study, shown
from unetdyn.sweeps.search_training import (
    RunRecords,
    Train,
    config_of,
    numbers_of,
    objective_values,
    run_path,
    trained,
    why_pruned,
)
from unetdyn.sweeps.search_trials import ERROR, RUNS, ask, hand_back, hand_back_the_dead, signs_of_life
from unetdyn.sweeps.table import SweepError

MOST_FAILURES = 3
"""Trials of a worker that fail in a row: more would fail too."""


def search(
    path: str | Path,
    trials: int | None = None,
    storage: str | None = None,
    walltime: float | None = None,
    stream: TextIO | None = None,
    train: Train | None = None,
) -> Any:
    """Work on a search until it has as many trials as it is to have.

    Any number of processes may do so at once, each by the same call; and later again, where all were killed. A trial
    whose worker has died is put back into the queue, and its run carried on. The folder holds `search.json` and
    `base.yaml`, which are written once, and a run directory for each training, `runs/NNNN`.

    Args:
        path: The YAML file of the search.
        trials: How many there are to be in all; None: as the file says.
        storage: See `open_storage`; None: as the file says. A password need not stand in a file.
        walltime: See `unetdyn.experiment.run_experiment`. The trial is put back, and goes on in the next worker.
        stream: Where progress is shown; standard output by default.
        train: What trains; None: `unetdyn.experiment`.

    Returns:
        The `optuna.Study`. User attributes of a trial: `runs`, the numbers of its run directories; `error`, why it
        failed.

    Raises:
        SweepError: If the search can't be as its file says, was changed since it began, or three trials failed in a
            row.
        ConfigError: If base and parameters make no configuration.
    """
    stream = sys.stdout if stream is None else stream
    asked = read_search(path)
    folder = begun(asked, Path(path))
    train = trained(walltime) if train is None else train
    with _quiet():
        study = open_study(asked, folder, storage)
        failures = 0
        while True:
            for number in hand_back_the_dead(study):
                tell(stream, f"Trial {number}: its worker is gone; it is put back, and its runs are carried on")
            trial = ask(study, distributions(asked), asked.trials if trials is None else trials)
            if trial is None:
                return study
            error = _worked_off(asked, folder, study, trial, train, stream)
            failures = failures + 1 if error else 0
            if failures >= MOST_FAILURES:
                raise SweepError(f"{failures} trials failed in a row, the last one, {trial.number}: {error}")


def _worked_off(asked: Search, folder: Path, study: Any, trial: Any, train: Train, stream: TextIO) -> str:
    """Train what a trial asks for, and tell the study; why it failed, or an empty text."""
    if RUNS not in trial.user_attrs:
        trial.set_user_attr(RUNS, numbers_of(trial.number, asked.seeds))
    tell(stream, f"Trial {trial.number}: " + ", ".join(f"{key} {shown(each)}" for key, each in trial.params.items()))
    state, values, error = optuna.trial.TrialState.COMPLETE, None, ""
    try:
        with signs_of_life(trial):
            finished, pruned = _trainings(asked, folder, study, trial, train)
            if pruned:
                state = optuna.trial.TrialState.PRUNED
                tell(stream, f"Trial {trial.number}: ended early: {pruned}")
            else:
                values = objective_values(asked, finished)
    except optuna.exceptions.UpdateFinishedTrialError:
        tell(stream, f"Trial {trial.number}: another worker took this one for dead, and has it now")
        return ""
    except Exception as failed:
        state, error = optuna.trial.TrialState.FAIL, f"{type(failed).__name__}: {' '.join(str(failed).split())}"
        trial.set_user_attr(ERROR, error[:2000])
        tell(stream, f"Trial {trial.number}: failed: {error}")
    except BaseException:  # a signal, or the walltime: whoever comes next carries on
        hand_back(study, trial.number, died=False)
        raise
    study.tell(trial, values, state)
    if values is not None:
        told = ", ".join(f"{name} {value:.4g}" for name, value in zip(asked.objectives, values, strict=True))
        tell(stream, f"Trial {trial.number}: {told}")
    return error


def _trainings(asked: Search, folder: Path, study: Any, trial: Any, train: Train) -> tuple[list[Run], str]:
    """The runs of a trial, one a seed; after one that was ended early no other begins."""
    finished: list[Run] = []
    for seed, number in enumerate(trial.user_attrs[RUNS]):
        config = config_of(folder / BASE, asked, trial.params, run_path(folder, number), seed)
        run = train(config, [_reports(asked, folder, study, trial)] if seed == 0 and asked.pruner else [])
        if pruned := why_pruned(run):
            return finished, pruned
        finished.append(run)
    return finished, ""


def _reports(asked: Search, folder: Path, study: Any, trial: Any) -> PruningReports:
    """Optuna hears nothing of a trial with several objectives, which our own signal is for."""
    monitor = f"val_{asked.metric}"
    if len(asked.objectives) == 1:
        reported = study.get_trials(deepcopy=False)[trial.number].intermediate_values
        return PruningReports(trial, monitor, reported=reported)
    records = RunRecords(folder, asked.metric)
    own = SimpleNamespace(user_attrs={RUNS: trial.user_attrs[RUNS]})

    def diverged() -> str:
        signal = reason_to_prune(records(own), study.pruner.finished(study), PruningRule(), front=True)
        return "" if signal is None else f"{signal.kind}: {signal.message}"

    return PruningReports(trial, monitor, ask=diverged)


@contextmanager
def _quiet() -> Iterator[None]:
    """What Optuna tells of itself is told by us, and that a part is experimental by the documentation."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)
