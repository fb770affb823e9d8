"""Run directories as a `RunTable`: which of them count, with which settings, and why the others don't."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import unetdyn.runs
from unetdyn.analysis.comparison.run_table import Absent, RunTable
from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary, summarise
from unetdyn.analysis.comparison.varying import sampled, varying
from unetdyn.analysis.curves import read_history
from unetdyn.analysis.recorded_settings import stability_settings
from unetdyn.analysis.series import Curve
from unetdyn.runs import Run, RunError


def table_of_runs(
    paths: Sequence[str | Path], factors: Sequence[str] | None = None, metric: str | None = None, name: str = ""
) -> RunTable:
    """Runs that no sweep made, by the settings in which they differ; those of one setting are repetitions.

    Args:
        paths: Run directories.
        factors: See `varying`.
        metric: See `summarise`.
        name: What the comparison is called; default: how many runs it is of.

    Returns:
        A `RunTable`. A run that has not ended well is in `absent`, with the reason.

    Raises:
        FileNotFoundError: If a path is no run directory.
        ValueError: If there is no path, one is given twice, no run has logged the metric, or as `varying`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for place, (rate, seed) in enumerate([(0.001, 0), (0.001, 1), (0.005, 0), (0.005, 1)]):
        ...     writer = unetdyn.runs.RunWriter(folder / str(place), {"optimizer": {"learning_rate": rate}}, seed=seed)
        ...     writer.log_epoch(0, {"val_jaccard": 0.5 + 10 * rate})
        ...     writer.finish()
        >>> table = table_of_runs(sorted(folder.iterdir()))
        >>> table.factors, table.repeated
        ({'learning_rate': (0.001, 0.005)}, 2)
    """
    folders = [Path(path) for path in paths]
    if not folders:
        raise ValueError("`paths` must be one run directory or more. Received: none.")
    names = names_of(folders)
    resolved = [folder.resolve() for folder in folders]
    twice = [folder for folder, full in zip(folders, resolved, strict=True) if resolved.count(full) > 1]
    if twice:
        raise ValueError(f"`paths` must name each run once. Received: {twice[0]} twice.")
    summaries, curves, absent, places = [], {}, [], {}
    refused: ValueError | None = None
    for label, path in zip(names, folders, strict=True):
        run = unetdyn.runs.open(path)
        places[label] = str(path)
        if (why := why_absent(run)) is not None:
            absent.append(Absent(label, {}, run.seed, why))
            continue
        try:
            summary, curve = read(run, label, metric)
        except ValueError as error:  # it logged no metric, or not the one that was asked for
            absent.append(Absent(label, {}, run.seed, str(error)))
            refused = error
            continue
        summaries.append(summary)
        if curve is not None:
            curves[label] = curve
    if refused is not None and not summaries:
        raise refused
    found = varying(summaries, factors)
    kept = {*found.factors, *found.constant, *NOT_SETTINGS}
    kept |= {name for name in ("learning_rate", "batch_size") if factors is None}  # each run's own may make a slope
    runs = tuple(
        replace(run, factors={key: level for key, level in run.factors.items() if key in kept}) for run in summaries
    )
    return RunTable(
        name=name or (names[0] if len(names) == 1 else f"{len(names)} runs"),
        runs=runs,
        factors=found.factors,
        constant={key: value for key, value in found.constant.items() if key not in NOT_SETTINGS},
        absent=tuple(absent),
        curves=curves,
        places=places,
        planned=len(paths),
        sampled=sampled(list({tuple(run.factors.get(key) for key in found.factors) for run in runs}), found.factors),
        notes=found.notes,
    )


def why_absent(run: Run) -> str | None:
    """Why the numbers of a run don't count: it has not ended as it should, or logged nothing; None where they do."""
    if run.status != "finished":
        return run.outcome
    try:
        return None if run.epochs else "finished without an epoch"
    except (OSError, RunError) as error:
        return f"damaged: {error}"


def read(
    run: Run, name: str, metric: str | None = None, factors: Mapping[str, Any] | None = None
) -> tuple[RunSummary, Curve | None]:
    """The numbers of a run, whether it is ill, and the metric that its performance is read from, over the epochs."""
    summary = summarise(run, name, factors, metric, judged=True, **stability_settings(run.config))
    curves = read_history(run)
    return summary, None if summary.watched is None else curves.curve(summary.watched)


def names_of(paths: Sequence[Path]) -> list[str]:
    """The names of the folders; with as much of the path before as tells those of one name apart, or a number.

    >>> names_of([Path("first/0001"), Path("second/0001"), Path("third")])
    ['first/0001', 'second/0001', 'third']
    """
    full = [path.resolve() for path in paths]
    names = [path.name for path in full]
    for depth in range(2, max((len(path.parts) for path in full), default=0)):
        twice = {name for name in names if names.count(name) > 1}
        if not twice:
            break
        names = [
            "/".join(path.parts[-depth:]) if name in twice else name for path, name in zip(full, names, strict=True)
        ]
    return [name if names[:place].count(name) == 0 else f"{name} ({place + 1})" for place, name in enumerate(names)]
