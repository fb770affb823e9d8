"""The tables of a report: epochs, what was configured, with which versions."""

from typing import Any

import numpy as np
import yaml

from unetdyn.analysis import Curves
from unetdyn.analysis.curves import stages_of
from unetdyn.analysis.result import number
from unetdyn.report.describe import resumed_in_words, stages_in_words, tested
from unetdyn.runs import Run

MOST_EPOCHS = 30  # rows; the file of the run has them all
FIRST, LAST = 3, 7  # epochs at both ends that are always shown


def epochs_table(run: Run, curves: Curves, metric: str | None, best: int | None) -> dict[str, Any]:
    """The epochs' numbers, as texts; of a long training the first, the best, the last and some between.

    Args:
        run: The run.
        curves: Its curves.
        metric: The metric that performance is read from, without `val_`.
        best: Its best epoch, from 0, which is always shown.

    Returns:
        `header`, `rows` of (epoch from 1, whether it is the best, texts), and `note`, empty where nothing is left out.
    """
    watched = ["loss", *([metric] if metric else [])]
    wanted = [prefix + name for name in watched for prefix in ("", "val_")] + list(curves.log_keys.columns)
    columns = [name for name in wanted if name in curves]
    epochs = np.unique([epoch for curve in curves.values() for epoch in curve.epochs])
    shown = chosen(epochs, best)
    values = {name: dict(zip(*curves[name], strict=True)) for name in columns}
    rows = [(int(epoch) + 1, epoch == best, [_cell(values[name].get(epoch)) for name in columns]) for epoch in shown]
    left_out = len(epochs) - len(shown)
    note = f"{left_out} of {len(epochs)} epochs are left out here; {run.path / 'epochs.jsonl'} has them all."
    return {"header": columns, "rows": rows, "note": note if left_out else ""}


def chosen(epochs: Any, best: int | None) -> list[int]:
    """Which epochs a table shows: all where they are few; else both ends, the best, and evenly spaced ones between.

    >>> shown = chosen(range(100), best=41)
    >>> len(shown), 41 in shown, shown[:5]
    (30, True, [0, 1, 2, 3, 7])
    """
    epochs = [int(epoch) for epoch in epochs]
    if len(epochs) <= MOST_EPOCHS:
        return epochs
    between = np.linspace(FIRST, len(epochs) - LAST - 1, MOST_EPOCHS - FIRST - LAST - 1).astype(int)
    kept = {*epochs[:FIRST], *(epochs[place] for place in between), *epochs[-LAST:]}
    return sorted(kept if best is None else {*kept, best})


def configuration(run: Run) -> str:
    """The configuration as it was recorded, as YAML; empty where none was."""
    return yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True) if run.config else ""


def origin(run: Run) -> list[tuple[str, str]]:
    """Where the run is, when it ran, and what it ran with."""
    header = run.header
    rows = [
        ("directory", str(run.path)),
        ("status", run.outcome),
        ("begun", str(header.get("created") or "not recorded")),
        ("ended", str(header.get("finished") or "not recorded")),
        ("seed", "not recorded" if run.seed is None else str(run.seed)),
        ("backend", str(header.get("backend") or "not recorded")),
    ]
    if run.resumed:
        rows.append(("resumed", resumed_in_words(run)))
    if stages := stages_of(run.stages):
        rows.append(("stages", stages_in_words(stages, len(run.epochs))))
    return rows + [(name, str(version)) for name, version in run.versions.items()]


def measured_on_the_test_set(run: Run) -> list[tuple[str, str]]:
    """What was measured on the test set, if anything was."""
    return [(name, number(value, 4) if isinstance(value, float | int) else str(value)) for name, value in tested(run)]


def _cell(value: float | None) -> str:
    """A number of the table; nothing where none was logged, NaN and infinity as they are."""
    if value is None:
        return ""
    return number(value, 4) if np.isfinite(value) else str(float(value))
