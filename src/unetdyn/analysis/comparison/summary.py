"""One run in a few numbers: what a comparison of runs starts from."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

import unetdyn.runs
from unetdyn.analysis.best import best_epoch
from unetdyn.analysis.comparison.factors import recorded_factors, with_levels
from unetdyn.analysis.comparison.naming import is_history, names_of_files
from unetdyn.analysis.curves import Curves, read_history
from unetdyn.analysis.metric_names import check_more_is_better
from unetdyn.analysis.result import Result, epoch, number
from unetdyn.analysis.stability import DDOF, WINDOW, check_window, stability

MAIN_FACTORS = ("architecture", "filters", "learning_rate", "batch_size", "seed")
NOT_SETTINGS = ("seed", "name", "run_directory")  # factors in which repetitions of one experiment may differ


@dataclass(frozen=True)
class RunSummary(Result):
    """What `summarise` found.

    Attributes:
        name: what the run is called in tables.
        performance: the highest value of the metric; NaN where there is none.
        final: its last value; NaN where there is none.
        peak_epoch: the first epoch with the highest value, from 0; None where there is none.
        stability: σ of the loss over the last `window` values; NaN where not defined or not finite.
        coefficient_of_variation: σ / |mean| over the same values; NaN where not defined.
        epochs: how many epochs were logged.
        seconds: the sum of the logged `seconds`; None where not recorded.
        parameters: how many the model has; None where not recorded.
        memory: peak memory in bytes; None where not recorded.
        factors: what the run was made with: `architecture`, `learning_rate`, `batch_size` … → a text, number, switch or
            None, or a tuple of these.
        watched: the name under which the metric was logged: `val_jaccard`, or `jaccard` without validation.
        watched_loss: the same of the loss; None where no loss was logged.
        window: how many values `stability` is of.
        notes: in words, what could not be told and why.
    """

    name: str
    performance: float
    final: float
    peak_epoch: int | None
    stability: float
    coefficient_of_variation: float
    epochs: int
    seconds: float | None
    parameters: int | None
    memory: float | None
    factors: dict[str, Any]
    watched: str | None
    watched_loss: str | None
    window: int = WINDOW
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        variation = self.coefficient_of_variation
        percent = "" if np.isnan(variation) else f"; coefficient of variation {100 * variation:.1f} %"
        rows = [("run", self.name)]
        if self.peak_epoch is not None:
            peak = f"{number(self.performance)} at epoch {epoch(self.peak_epoch)}, {number(self.final)} at the end"
            rows.append((f"best {self.watched}", peak))
        if not np.isnan(self.stability):
            rows.append((f"σ of {self.watched_loss}", f"{number(self.stability)} over {self.window} values{percent}"))
        rows += [("epochs", str(self.epochs))]
        rows += [("seconds", number(self.seconds))] if self.seconds is not None else []
        rows += [("parameters", f"{self.parameters:,}")] if self.parameters is not None else []
        rows += [("peak memory", f"{self.memory / 2**20:,.0f} MiB")] if self.memory is not None else []
        rows += [
            (name.replace("_", " "), str(value))
            for name in MAIN_FACTORS
            if (value := self.factors.get(name)) is not None
        ]
        return rows + [("note", note) for note in self.notes]


def summarise(
    source: Any,
    name: str | None = None,
    factors: Mapping[str, Any] | None = None,
    metric: str | None = None,
    window: int | None = None,
    parameters: int | None = None,
    memory: float | None = None,
    ddof: int = DDOF,
) -> RunSummary:
    """One run in the numbers that comparisons use.

    performance = max J over the epochs; stability = sqrt(Σ (Lᵢ − L̄)² / (window − ddof)) over the last `window` losses.
    Both are of the validation where it was logged, otherwise of the training; `watched` says which.

    Args:
        source: anything `read_history` takes, or a `RunSummary`, which comes back with the name, factors,
            parameters and memory that are given here.
        name: what to call it; None (default): the run directory's or file's name.
        factors: name → text, number, switch, None or a list of these, which becomes a tuple; added to those recorded.
            A run directory brings every setting of its configuration, None where it is null, under its own key where
            that occurs once or at the top, otherwise under the path with dots: `architecture`, `learning_rate`,
            `batch_size`, `seed`, but `loss.kind` and `optimizer.kind`.
        metric: the metric, with or without `val_`, of which more is better; None (default): `Curves.default_metric`.
        window: how many losses σ is of, ≥ 2. None (default): 10, which is what the studies used.
        parameters: how many the model has; None (default): `parameters` of the run's summary, where recorded.
        memory: peak memory in bytes; None (default): `memory` of the run's summary, where recorded.
        ddof: 1 (default) or 0, see `unetdyn.analysis.stability`.

    Returns:
        A `RunSummary`. A run without epochs, with a metric that was never a number, or with too few losses for σ has
        NaN there and says why in `notes`.

    Raises:
        TypeError: if `source` is nothing that `read_history` takes, or a factor is nothing to group runs by.
        ValueError: if the metric was not logged, less of it is better, `window` < 2, `ddof` is neither 0 nor 1, or
            `metric` or `window` is given with a `RunSummary`, which no longer has the curves to read them from.

    Example:
        >>> logs = {"val_loss": [0.9, 0.5, 0.4], "val_jaccard": [0.1, 0.6, 0.5]}
        >>> print(summarise(logs, name="first", factors={"learning_rate": 1e-3}, window=3))
        run               first
        best val_jaccard  0.6 at epoch 2, 0.5 at the end
        σ of val_loss     0.265 over 3 values; coefficient of variation 44.1 %
        epochs            3
        learning rate     0.001

    Reference:
        Peak, final value and σ are those of the studies this project grew from.
    """
    if isinstance(source, RunSummary):
        if metric is not None or window is not None:
            raise ValueError(
                "`metric` and `window` must be left out for a RunSummary, which keeps those that it was made with; "
                f"summarise the run itself again. Received: metric={metric!r}, window={window!r}."
            )
        given = {"name": name, "parameters": parameters, "memory": memory}
        changed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return replace(source, factors={**source.factors, **with_levels(factors or {})}, **changed)
    window = WINDOW if window is None else window
    check_window(window, ddof)
    run = _opened(source)
    curves = read_history(source if run is None else run)
    recorded = {} if run is None else run.summary
    seconds = curves["seconds"].values if "seconds" in curves else np.array([])
    measured = _metric(curves, metric)
    scatter = _scatter(curves, window, ddof)
    return RunSummary(
        name=name or curves.source,
        epochs=curves.epochs,
        seconds=float(np.nansum(seconds)) if np.isfinite(seconds).any() else None,
        parameters=recorded.get("parameters") if parameters is None else parameters,
        memory=recorded.get("memory") if memory is None else memory,
        factors={**({} if run is None else recorded_factors(run)), **with_levels(factors or {})},
        window=window,
        notes=tuple(measured.pop("notes") + scatter.pop("notes")),
        **measured,
        **scatter,
    )


def as_summaries(runs: Any, metric: str | None = None, window: int = WINDOW) -> list[RunSummary]:
    """Every run as a `RunSummary`, under names that differ.

    Args:
        runs: a sequence of what `summarise` takes (summaries, run directories, histories, CSV files), or a dictionary
            name → such. Files and run directories of one name are told apart by their folder, `first/log.csv`; of
            other runs with one name the later becomes `name (2)`.
        metric: see `summarise`; summaries keep theirs.
        window: see `summarise`; summaries keep theirs.

    Returns:
        A list in the order of `runs`.

    Raises:
        TypeError: if `runs` is one run, or nothing that holds runs.
        ValueError: as `summarise`.

    Example:
        >>> calm, wild = {"val_jaccard": [0.1, 0.6]}, {"val_jaccard": [0.5, 0.2]}
        >>> [(run.name, run.performance) for run in as_summaries({"calm": calm, "wild": wild})]
        [('calm', 0.6), ('wild', 0.5)]
    """
    if isinstance(runs, str | os.PathLike | RunSummary) or not isinstance(runs, Iterable) or is_history(runs):
        raise TypeError(
            "`runs` must be a sequence of runs, or a dictionary name → run; put a single one in a list. "
            f"Received: {type(runs).__name__}."
        )
    named = list(runs.items()) if isinstance(runs, Mapping) else names_of_files(list(runs))
    summaries = [
        summarise(run, name) if isinstance(run, RunSummary) else summarise(run, name, metric=metric, window=window)
        for name, run in named
    ]
    names: dict[str, None] = {}
    for summary in summaries:
        numbered = (f"{summary.name} ({number})" for number in count(2))
        names[next(name for name in chain([summary.name], numbered) if name not in names)] = None
    return [replace(summary, name=name) for summary, name in zip(summaries, names, strict=True)]


def comparison_notes(summaries: Sequence[RunSummary]) -> list[str]:
    """What makes runs hard to compare: values that are not of the same thing.

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
    return notes


def left_out(excluded: Mapping[str, str], notes: Iterable[str]) -> list[tuple[str, str]]:
    """The rows that end the table of a comparison: the runs left out, together where for one reason, and the notes.

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


def _opened(source: Any) -> "unetdyn.runs.Run | None":
    """The run directory, where the source is one."""
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        return unetdyn.runs.open(Path(source))
    return source if isinstance(source, unetdyn.runs.Run) else None


def _metric(curves: Curves, metric: str | None) -> dict[str, Any]:
    nothing = {"performance": float("nan"), "final": float("nan"), "peak_epoch": None}
    if curves.epochs == 0:
        return {**nothing, "watched": None, "notes": ["no epoch was logged"]}
    base = curves.metric(metric)
    check_more_is_better(base, metric, curves.source, curves.log_keys)
    watched, curve = curves.watched(base)
    best = best_epoch(watched, curve.values, "up")
    if best is None:
        return {**nothing, "watched": watched, "notes": [f"{watched} was never a number"]}
    found = {
        "performance": float(curve.values[best]),
        "final": float(curve.values[-1]),
        "peak_epoch": int(curve.epochs[best]),
    }
    return {**found, "watched": watched, "notes": []}


def _scatter(curves: Curves, window: int, ddof: int) -> dict[str, Any]:
    nan = float("nan")
    if "loss" not in curves and "val_loss" not in curves:
        notes = ["no loss was logged, so that there is no σ"] if curves.epochs else []
        return {"stability": nan, "coefficient_of_variation": nan, "watched_loss": None, "notes": notes}
    watched, curve = curves.watched("loss")
    found = stability(curve.values, window, ddof)
    return {
        "stability": found.sigma,
        "coefficient_of_variation": found.coefficient_of_variation,
        "watched_loss": watched,
        "notes": [] if found.defined and found.finite else [f"{watched}: {found}"],
    }
