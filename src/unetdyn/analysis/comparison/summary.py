"""One run in a few numbers: what a comparison of runs starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import unetdyn.runs
from unetdyn.analysis.comparison.factors import recorded_factors, with_levels
from unetdyn.analysis.comparison.illness import why_ill
from unetdyn.analysis.curves import Curves, opened, read_history
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.metric_names import check_more_is_better
from unetdyn.analysis.result import Result, epoch, number
from unetdyn.analysis.stability_classes import DDOF, WINDOW, check_window, stability

MAIN_FACTORS = ("architecture", "filters", "learning_rate", "batch_size", "seed")
NOT_SETTINGS = ("seed", "name", "run_directory")  # factors in which repetitions of one experiment may differ


@dataclass(frozen=True)
class RunSummary(Result):
    """What `summarise` found.

    Attributes:
        name: What the run is called in tables.
        performance: The highest value of the metric; NaN where there is none.
        final: Its last value; NaN where there is none.
        peak_epoch: The first epoch with the highest value, from 0; None where there is none.
        stability: σ of the loss over the last `window` values; NaN where not defined or not finite.
        coefficient_of_variation: σ / |mean| over the same values; NaN where not defined.
        epochs: How many epochs were logged.
        seconds: The sum of the logged `seconds`; None where not recorded.
        parameters: How many the model has; None where not recorded.
        memory: Peak memory in bytes; None where not recorded.
        factors: What the run was made with: `architecture`, `learning_rate`, `batch_size` … → a text, number, switch or
            None, or a tuple of these.
        watched: The name under which the metric was logged: `val_jaccard`, or `jaccard` without validation.
        watched_loss: The same of the loss; None where no loss was logged.
        window: How many values `stability` is of.
        notes: In words, what could not be told and why.
        ill: Why the run is ill, as `unetdyn.analysis.diagnose` says; empty where it isn't, or where that was not asked.
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
    ill: str = ""

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
        rows += [("ill", self.ill)] if self.ill else []
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
    judged: bool = False,
) -> RunSummary:
    """One run in the numbers that comparisons use.

    performance = max J over the epochs; stability = sqrt(Σ (Lᵢ − L̄)² / (window − ddof)) over the last `window` losses.
    Both are of the validation where it was logged, otherwise of the training; `watched` says which.

    Args:
        source: Anything `read_history` takes, or a `RunSummary`, which comes back with the name, factors,
            parameters and memory that are given here.
        name: What to call it; None (default): the run directory's or file's name.
        factors: Name → text, number, switch, None or a list of these, which becomes a tuple; added to those recorded.
            A run directory brings every setting of its configuration, None where it is null, under its own key where
            that occurs once or at the top, otherwise under the path with dots: `architecture`, `learning_rate`,
            `batch_size`, `seed`, but `loss.kind` and `optimizer.kind`.
        metric: The metric, with or without `val_`, of which more is better; None (default): `Curves.default_metric`.
        window: How many losses σ is of, ≥ 2. None (default): 10, which is what the studies used.
        parameters: How many the model has; None (default): `parameters` of the run's summary, where recorded.
        memory: Peak memory in bytes; None (default): `memory` of the run's summary, where recorded.
        ddof: 1 (default) or 0, see `unetdyn.analysis.stability`.
        judged: Whether to ask if the run is ill, which takes a few times as long. Default: no.

    Returns:
        A `RunSummary`. A run without epochs, with a metric that was never a number, or with too few losses for σ has
        NaN there and says why in `notes`.

    Raises:
        TypeError: If `source` is nothing that `read_history` takes, or a factor is nothing to group runs by.
        ValueError: If the metric was not logged, less of it is better, `window` < 2, `ddof` is neither 0 nor 1, or
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
        Peak, final value and σ are those of the studies (docs/studies.md).
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
    source = opened(source)
    run = source if isinstance(source, unetdyn.runs.Run) else None
    curves = read_history(source)
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
        ill=why_ill(Evidence.read(source, metric, window, ddof)) if judged and curves.epochs else "",
        **measured,
        **scatter,
    )


def _metric(curves: Curves, metric: str | None) -> dict[str, Any]:
    nothing = {"performance": float("nan"), "final": float("nan"), "peak_epoch": None}
    if curves.epochs == 0:
        return {**nothing, "watched": None, "notes": ["no epoch was logged"]}
    base = curves.metric(metric)
    check_more_is_better(base, metric, curves.source, curves.log_keys)
    watched, curve = curves.watched(base)
    best = curves.best(watched)
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
        "notes": [] if found.determined and found.finite else [f"{watched}: {found}"],
    }
