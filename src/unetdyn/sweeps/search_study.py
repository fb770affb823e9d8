"""The study that Optuna keeps of a search: how it is opened, and what it has found."""

from pathlib import Path
from typing import Any

from unetdyn.sweeps.optional import optuna
from unetdyn.sweeps.pruning import StabilityPruner
from unetdyn.sweeps.samplers import sampler_of
from unetdyn.sweeps.search_folder import BASE
from unetdyn.sweeps.search_space import Range, Search, labels
from unetdyn.sweeps.search_storage import open_storage
from unetdyn.sweeps.search_training import RunRecords, run_path
from unetdyn.sweeps.search_trials import RUNS


def open_study(asked: Search, folder: Path, storage: str | None = None) -> Any:
    """The study of a search, begun or carried on.

    Args:
        asked: What its file says.
        folder: Of the search.
        storage: In place of the file's.
    """
    pruner: Any = {
        "stability": lambda: StabilityPruner(asked.pruning_rate, records=RunRecords(folder, asked.metric)),
        "median": lambda: optuna.pruners.MedianPruner(),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(),
        None: lambda: optuna.pruners.NopPruner(),
    }[asked.pruner]()
    return optuna.create_study(
        study_name=f"{asked.name} {asked.identity((folder / BASE).read_text(encoding='utf-8'))}",
        storage=open_storage(storage or asked.storage, folder),
        sampler=sampler_of(asked.sampler, asked.seed),
        pruner=pruner,
        directions=asked.directions,
        load_if_exists=True,
    )


def distributions(asked: Search) -> dict[str, Any]:
    """The parameters as Optuna knows them."""
    kinds = optuna.distributions
    found: dict[str, Any] = {}
    for key, space in asked.parameters.items():
        if not isinstance(space, Range):
            found[key] = kinds.CategoricalDistribution(tuple(labels(space)))
        elif space.is_whole:
            step = 1 if space.step is None else int(space.step)
            found[key] = kinds.IntDistribution(int(space.low), int(space.high), log=space.log, step=step)
        else:
            found[key] = kinds.FloatDistribution(float(space.low), float(space.high), log=space.log, step=space.step)
    return found


def described(asked: Search, folder: Path, study: Any) -> str:
    """What a search has found: its best trial, or with several objectives all that nothing beats."""
    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    counted = ", ".join(f"{states.count(state)} {state.lower()}" for state in ("COMPLETE", "PRUNED", "FAIL"))
    lines = [f"trials  {counted}"]
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state == optuna.trial.TrialState.COMPLETE]
    best = sorted(study.best_trials, key=lambda trial: trial.values[0], reverse=asked.directions[0] == "maximize")
    if done and len(asked.objectives) > 1:
        lines.append(f"on the Pareto front, {len(best)} of {len(done)}:")
    for trial in best if done else []:
        values = ", ".join(f"{name} {value:.4g}" for name, value in zip(asked.objectives, trial.values, strict=True))
        params = ", ".join(f"{key} {shown(value)}" for key, value in trial.params.items())
        where = ", ".join(str(run_path(folder, number)) for number in trial.user_attrs[RUNS])
        lines += [f"trial {trial.number}  {values}", f"  {params}", f"  {where}"]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A value of a parameter, as a person reads it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
