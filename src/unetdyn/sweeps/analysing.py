"""What a sweep tells: its rows' run directories as a table of runs by their factors, and the statistics of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import unetdyn.runs
from unetdyn.analysis.comparison.factors import with_levels
from unetdyn.analysis.comparison.gathering import read, why_absent
from unetdyn.analysis.comparison.run_table import Absent, RunTable, in_words, levels_of, short_names
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.comparison.table_statistics import TableStatistics, statistics_of
from unetdyn.analysis.comparison.varying import sampled
from unetdyn.analysis.series import Curve
from unetdyn.runs import Run, RunError
from unetdyn.sweeps.table import Row, Sweep


def analyse(
    sweep: Sweep,
    response: str = "performance",
    max_sigma: float | None = None,
    order: int | None = None,
    metric: str | None = None,
) -> TableStatistics:
    """The statistics of a sweep, from its run directories alone; it may still go on.

    Args:
        sweep: From `open_sweep`.
        response: `"performance"` (default), `"final"` or `"stability"`: what is asked about.
        max_sigma: A bound of σ for the best settings; None (default): none.
        order: How many factors an interaction may have at most; None (default): 2 where cells were repeated and every
            pair of levels was run, else 1.
        metric: The metric that performance is read from; None (default): the Jaccard where it was logged.

    Returns:
        A `TableStatistics`, whose `table` names the rows that are not in it, each with its reason.

    Raises:
        ValueError: If `response`, `order` or `max_sigma` is none of those, or the metric was not logged.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import freeze
        >>> rows = [
        ...     Row(number, 1 + number // 3, seed, {"optimizer.learning_rate": rate}, {}, "")
        ...     for number, (rate, seed) in enumerate([(0.001, 0), (0.001, 1), (0.005, 0), (0.005, 1)], 1)
        ... ]
        >>> sweep = freeze(tempfile.mkdtemp(), "rates", "2026-11-27T09:00:00", {}, {}, {}, rows)
        >>> for row in rows[:3]:
        ...     writer = unetdyn.runs.RunWriter(sweep.run_path(row.number), seed=row.seed)
        ...     jaccard = 0.5 + 10 * row.settings["optimizer.learning_rate"] + 0.01 * row.seed
        ...     writer.log_epoch(0, {"val_jaccard": jaccard})
        ...     writer.finish()
        >>> found = analyse(sweep)
        >>> len(found.table.runs), [(row.name, row.why) for row in found.table.absent]
        (3, [('0004', 'not begun')])
    """
    return statistics_of(table_of_sweep(sweep, metric), response, max_sigma, order)


def table_of_sweep(sweep: Sweep, metric: str | None = None) -> RunTable:
    """The rows of a sweep that ended as they should, by the factors of the sweep; and why the others are not there.

    Args:
        sweep: From `open_sweep`.
        metric: See `analyse`.

    Returns:
        A `RunTable`. Keys of a configuration are shortened to their last part where that is clear.

    Raises:
        ValueError: If no run has logged the metric.
    """
    names = short_names([*sweep.factors, *sweep.block_factors])
    summaries, curves, absent, places = [], {}, [], {}
    refused: ValueError | None = None
    for row in sweep.rows:
        label = sweep.label(row.number)
        settings = _settings({**row.settings, **row.blocks}, names)
        found = _run(sweep, row)
        if isinstance(found, str):
            absent.append(Absent(label, settings, row.seed, found))
            continue
        try:
            summary, curve = _summary(found, label, {**settings, "seed": row.seed}, metric)
        except ValueError as error:  # it logged no metric, or not the one that was asked for
            absent.append(Absent(label, settings, row.seed, str(error)))
            refused = error
            continue
        summaries.append(summary)
        places[label] = str(found.path)
        if curve is not None:
            curves[label] = curve
    if refused is not None and not summaries:
        raise refused
    factors = {names[key]: levels_of(with_levels({"": each})[""] for each in of) for key, of in sweep.factors.items()}
    blocks = {
        names[key]: levels_of(with_levels({"": each})[""] for each in of) for key, of in sweep.block_factors.items()
    }
    constant = {name: levels[0] for name, levels in factors.items() if len(levels) == 1}
    varied = {name: levels for name, levels in factors.items() if len(levels) > 1}
    cells = {tuple(_settings(row.settings, names).get(name) for name in varied) for row in sweep.rows}
    return RunTable(
        name=sweep.name,
        runs=tuple(summaries),
        factors=varied,
        blocks=blocks,
        constant=constant,
        absent=tuple(absent),
        curves=curves,
        places=places,
        planned=len(sweep.rows),
        plan=tuple(_planned(row, names, varied) for row in sweep.rows),
        sampled=sampled(list(cells), varied),
    )


def _run(sweep: Sweep, row: Row) -> Run | str:
    """The run of a row, or why it doesn't count."""
    path = sweep.run_path(row.number)
    if not path.exists():
        return "not begun"
    try:
        run = unetdyn.runs.open(path)
    except FileNotFoundError:
        return "begun, and ended before its first record"
    except (OSError, RunError) as error:
        return f"damaged: {error}"
    return why_absent(run) or _made_otherwise(run, row) or run


def _made_otherwise(run: Run, row: Row) -> str:
    """Which setting of a run's record isn't its row's; empty where all are, or nothing was recorded of them."""
    if run.seed is not None and run.seed != row.seed:
        return f"its record has the seed {run.seed}, and the table {row.seed}"
    for key, level in {**row.settings, **row.blocks}.items():
        value: Any = run.config
        for part in key.split("."):
            value = value.get(part, _NOT_RECORDED) if isinstance(value, Mapping) else _NOT_RECORDED
        recorded, wanted = (with_levels({"": each})[""] for each in (value, level))
        if value is not _NOT_RECORDED and recorded != wanted:
            return f"its record has {key} = {in_words(recorded)}, and the table {in_words(wanted)}"
    return ""


_NOT_RECORDED = "\x00"


def _settings(levels: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return with_levels({names[key]: level for key, level in levels.items()})


def _planned(row: Row, names: Mapping[str, str], varied: Mapping[str, Any]) -> dict[str, Any]:
    """The level of each factor that varies, and the seed."""
    levels = _settings(row.settings, names)
    return {**{name: levels.get(name) for name in varied}, "seed": row.seed}


def _summary(run: Run, label: str, factors: Mapping[str, Any], metric: str | None) -> tuple[RunSummary, Curve | None]:
    """The numbers of a row, with the settings of the table alone: what else was recorded is the same in all rows."""
    summary, curve = read(run, label, metric, factors)
    return replace(summary, factors=dict(factors)), curve
