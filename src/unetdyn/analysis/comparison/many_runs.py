"""Several runs at once: under names that differ, what makes them hard to compare, and which were left out."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.analysis.comparison.summary import RunSummary, summarise
from unetdyn.analysis.stability_classes import WINDOW


def as_summaries(runs: Any, metric: str | None = None, window: int = WINDOW, judged: bool = False) -> list[RunSummary]:
    """Every run as a `RunSummary`, under names that differ.

    Args:
        runs: A sequence of what `summarise` takes (summaries, run directories, histories, CSV files), or a dictionary
            name → such. Files and run directories of one name are told apart by their folder, `first/log.csv`; of
            other runs with one name the later becomes `name (2)`.
        metric: See `summarise`; summaries keep theirs.
        window: See `summarise`; summaries keep theirs.
        judged: Whether to ask if the runs are ill, see `summarise`; summaries keep what they say.

    Returns:
        A list in the order of `runs`.

    Raises:
        TypeError: If `runs` is one run, or nothing that holds runs.
        ValueError: As `summarise`.

    Example:
        >>> calm, wild = {"val_jaccard": [0.1, 0.6]}, {"val_jaccard": [0.5, 0.2]}
        >>> [(run.name, run.performance) for run in as_summaries({"calm": calm, "wild": wild})]
        [('calm', 0.6), ('wild', 0.5)]
    """
    if isinstance(runs, str | os.PathLike | RunSummary) or not isinstance(runs, Iterable) or _is_history(runs):
        raise TypeError(
            "`runs` must be a sequence of runs, or a dictionary name → run; put a single one in a list. "
            f"Received: {type(runs).__name__}."
        )
    named = list(runs.items()) if isinstance(runs, Mapping) else _names_of_files(list(runs))
    summaries = [
        summarise(run, name)
        if isinstance(run, RunSummary)
        else summarise(run, name, metric=metric, window=window, judged=judged)
        for name, run in named
    ]
    names: dict[str, None] = {}
    for summary in summaries:
        numbered = (f"{summary.name} ({number})" for number in count(2))
        names[next(name for name in chain([summary.name], numbered) if name not in names)] = None
    return [replace(summary, name=name) for summary, name in zip(summaries, names, strict=True)]


def comparison_notes(summaries: Sequence[RunSummary]) -> list[str]:
    """What makes runs hard to compare: values that are not of the same thing, and runs that are ill.

    >>> one, two = summarise({"val_jaccard": [0.5]}), summarise({"jaccard": [0.5]})
    >>> comparison_notes([one, two])
    ['the performance is not of one thing: val_jaccard in some runs, jaccard in others']
    """
    notes = []
    for what, names in (
        ("performance", [run.watched for run in summaries]),
        ("stability", [run.watched_loss for run in summaries]),
    ):
        different = list(dict.fromkeys(name for name in names if name is not None))
        if len(different) > 1:
            others = " in some runs, ".join(different)
            notes.append(f"the {what} is not of one thing: {others} in others")
    return notes + [f"{run.name} is ill: {run.ill}" for run in summaries if run.ill]


def left_out(excluded: Mapping[str, str], notes: Iterable[str]) -> list[tuple[str, str]]:
    """The last rows of a comparison's table: the runs left out, grouped by reason, and the notes.

    >>> left_out({"a": "no σ", "b": "no loss", "c": "no σ"}, ["beware"])
    [('left out', 'a, c: no σ'), ('left out', 'b: no loss'), ('note', 'beware')]
    """
    together: dict[str, list[str]] = {}
    for name, why in excluded.items():
        together.setdefault(why, []).append(name)
    rows = [("left out", f"{_some(names)}: {why}") for why, names in together.items()]
    return rows + [("note", note) for note in notes]


def _some(names: Sequence[str], shown: int = 4) -> str:
    more = "" if len(names) <= shown else f" and {len(names) - shown} more"
    return ", ".join(names[:shown]) + more


def _names_of_files(runs: Sequence[Any]) -> list[tuple[str | None, Any]]:
    """Each run with `folder/name` where it is one of several files or folders of one name, otherwise with None.

    >>> [name for name, _ in _names_of_files(["first/log.csv", "second/log.csv", "third.csv"])]
    ['first/log.csv', 'second/log.csv', None]
    """
    paths = [Path(run).absolute() if isinstance(run, str | os.PathLike) else None for run in runs]
    often = Counter(path.name for path in paths if path)
    names = [f"{path.parent.name}/{path.name}" if path and often[path.name] > 1 else None for path in paths]
    return list(zip(names, runs, strict=True))


def _is_history(runs: Any) -> bool:
    """Whether it is one run's values by name, not several runs by name.

    >>> _is_history({"loss": [0.5, 0.4]}), _is_history({"first": {"loss": [0.5, 0.4]}})
    (True, False)
    """
    return isinstance(runs, Mapping) and any(isinstance(value, list | tuple | np.ndarray) for value in runs.values())
