"""How far the performance of a model varies with the learning rate and the batch size that it is trained with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unetdyn.analysis.comparison.choices import Choice, grouped, settings
from unetdyn.analysis.comparison.summary import RunSummary

VARIED = ("learning_rate", "batch_size")


def spread_choices(runs: Sequence[RunSummary]) -> tuple[list[Choice], dict[str, str]]:
    """One choice a model, whose value is max J − min J over the learning rates and batch sizes that all models have.

    A spread, not a slope: a model that is good at one learning rate and fails on both sides of it has no slope. Spreads
    of different ranges can't be compared, hence only pairs of learning rate and batch size that every model was trained
    with, leaving out models that have one pair only.

    Args:
        runs: With `learning_rate` or `batch_size` in their factors. Those that differ in nothing but these, seed and
            name are of one model.

    Returns:
        The choices, with one spread for each seed that has all pairs, or where none has, that of the pairs' means; and
        name → why of the runs that were left out.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> found = {("UNet", 1e-2): 0.2, ("UNet", 1e-3): 0.7, ("other", 1e-2): 0.5, ("other", 1e-3): 0.6}
        >>> runs = [
        ...     summarise({"val_jaccard": [j]}, f"{model}-{rate}", {"architecture": model, "learning_rate": rate})
        ...     for (model, rate), j in found.items()
        ... ]
        >>> [(choice.name, round(choice.value, 3)) for choice in spread_choices(runs)[0]]
        [('UNet', 0.5), ('other', 0.1)]
    """
    excluded = {
        run.name: "neither its learning rate nor its batch size is recorded"
        for run in runs
        if all(run.factors.get(name) is None for name in VARIED)
    }
    models = list(grouped((run for run in runs if run.name not in excluded), _model).values())
    several = [model for model in models if len(set(map(_pair, model))) > 1]
    alone = "its model was trained with one learning rate and batch size only"
    excluded |= {run.name: alone for model in models if model not in several for run in model}
    common = set.intersection(*({_pair(run) for run in model} for model in several)) if several else set()
    for run in (run for model in several for run in model if len(common) < 2 or _pair(run) not in common):
        is_only_one = len(common) == 1 and _pair(run) in common
        missing = "not every model was trained with its learning rate and batch size"
        excluded[run.name] = (
            "all models share its learning rate and batch size, and no other" if is_only_one else missing
        )
    if len(common) < 2:
        return [], excluded
    kept = [[run for run in model if _pair(run) in common] for model in several]
    names = [str(model[0].factors.get("architecture")) for model in kept]
    if "None" in names or len(set(names)) < len(names):
        names = [model[0].name for model in kept]
    values = (_spreads(model, len(common)) for model in kept)
    return list(map(Choice, names, map(tuple, kept), values)), excluded


def best_performance(choice: Choice) -> float:
    """The mean performance at the best pair of learning rate and batch size: of the model, once these are tuned."""
    return max(_means(choice.runs))


def pairs(choice: Choice) -> int:
    """How many pairs of learning rate and batch size a spread is over."""
    return len(set(map(_pair, choice.runs)))


def _model(run: RunSummary) -> Any:
    return settings(run, but=VARIED)


def _pair(run: RunSummary) -> tuple[str, ...]:
    return tuple(repr(run.factors.get(name)) for name in VARIED)


def _spreads(model: Sequence[RunSummary], common: int) -> tuple[float, ...]:
    """That of each seed with all pairs; where none has all, the one of all seeds together."""
    seeds = list(grouped(model, lambda run: repr(run.factors.get("seed"))).values())
    complete = [group for group in seeds if len(set(map(_pair, group))) == common]
    return tuple(map(_spread, complete or [list(model)]))


def _spread(runs: Sequence[RunSummary]) -> float:
    return float(np.ptp(_means(runs)))


def _means(runs: Sequence[RunSummary]) -> list[float]:
    return [float(np.mean([run.performance for run in group])) for group in grouped(runs, _pair).values()]
