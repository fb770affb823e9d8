"""A run, or several side by side, as a table of text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unetdyn.analysis import Curve, Diagnosis, diagnose, read_history
from unetdyn.analysis.curves import Stage
from unetdyn.analysis.metric_names import readable
from unetdyn.analysis.recorded_settings import stability_settings
from unetdyn.analysis.stability_classes import stability
from unetdyn.report.scatter import epochs_fallen, scatter_in_words
from unetdyn.runs import Run
from unetdyn.runs.resume_command import what_carries_on

MOST_NAMES = 3  # of findings, in the row of the verdict


def describe(runs: Sequence[Run]) -> str:
    """The figures that decide, one row each, one column a run.

    Args:
        runs: From `unetdyn.runs.open`.

    Returns:
        A text of a few lines: how the run ended, the best and last value of its metric, the stability of its loss and
        its classes, and where it is. Metric and loss are of the validation where there was one. A run that is ill is
        named below, with the reason, so that its figures are not taken for those of a sound one.
    """
    diagnoses = [_diagnosis(run) for run in runs]
    columns = [_rows(run, found) for run, found in zip(runs, diagnoses, strict=True)]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    cells = [[_one_line(text) for text in (label, *(column.get(label, "") for column in columns))] for label in labels]
    widths = [max(len(row[i]) for row in cells) for i in range(len(runs) + 1)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    notes = [f"{run.path.name}: {note}" for run in runs for note in run.notes]
    notes += [
        f"{run.path.name} is ill: {found.sentence}"
        for run, found in zip(runs, diagnoses, strict=True)
        if found is not None and found.level == "ill"
    ]
    return "\n".join(lines + notes)


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _diagnosis(run: Run) -> Diagnosis | None:
    """None where nothing was logged yet."""
    return diagnose(run, **stability_settings(run.config)) if read_history(run) else None


def _rows(run: Run, found: Diagnosis | None) -> dict[str, str]:
    config = run.config
    epochs = len(run.epochs)
    rows = {
        "run": run.path.name,
        "status": run.outcome,
        "model": _model(config),
        "epochs": str(epochs) if epochs else "none yet",
    }
    ended = run.status in ("interrupted", "failed")  # of one that says "running", its outcome tells what carries on
    if ended and (command := what_carries_on(run.path, run.config)) is not None:
        rows["carry on"] = command
    curves = read_history(run)
    if run.resumed:
        rows["resumed"] = resumed_in_words(run)
    if curves.stages:
        rows["stages"] = stages_in_words(curves.stages, epochs)
    if found is not None:
        rows["verdict"] = in_short(found)
    for metric in dict.fromkeys(name for name in (curves.default_panel, "soft_jaccard") if name):
        if {metric, f"val_{metric}"} & set(curves):
            logged, curve = curves.watched(metric)
            rows[readable(logged)] = _best_and_last(curve, curves.best(logged))
    for name, value in tested(run):
        rows[f"test {name}"] = f"{value:.4f}" if isinstance(value, float | int) else str(value)
    if {"loss", "val_loss"} & set(curves):
        logged, curve = curves.watched("loss")
        fallen = epochs_fallen(curves, curves.default_metric)
        rows[f"{readable(logged)}, stability"] = _stability(curve.values, config, fallen)
    rows["directory"] = str(run.path)
    picture = run.path / "history.png"
    if picture.is_file():
        rows["picture"] = str(picture)
    return rows


def stages_in_words(stages: Sequence[Stage], epochs: int) -> str:
    """Each stage with its epochs, as a person counts them.

    Args:
        stages: First epoch, from 0, and name of each.
        epochs: How many there are so far.

    Example:
        >>> stages_in_words([(0, "coarse"), (30, "fine"), (50, "finest")], 50)
        'coarse 1–30, fine 31–50, finest from 51 on'
    """
    ends = [*(first for first, _ in stages[1:]), epochs]
    return ", ".join(
        f"{name} {first + 1}–{end}" if end > first else f"{name} from {first + 1} on"
        for (first, name), end in zip(stages, ends, strict=True)
    )


def resumed_in_words(run: Run) -> str:
    """How often it was carried on, and the last time from where, and after what."""
    last, times = run.resumed[-1], len(run.resumed)
    epoch, step = last.get("epoch"), last.get("step")
    place = [f"{what} {at + 1}" for what, at in (("epoch", epoch), ("step", step)) if isinstance(at, int)]
    if not step:
        place = place[:1]
    often = f"{times} times, the last time" if times > 1 else "once,"
    return f"{often} at {', '.join(place) or 'an unknown epoch'}, after {last.get('ended') or 'it was killed'}"


def in_short(found: Diagnosis) -> str:
    """The level, and what it rests on, in a few words.

    >>> in_short(diagnose({"loss": [0.5, 0.4, float("nan")]}))
    '✕ Ill: loss'
    """
    names = list(dict.fromkeys(finding.name for finding in found.headline))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    why = f": {', '.join(names[:MOST_NAMES])}{more}" if names else ""
    return f"{found.symbol} {found.word}{why}"


def _model(config: dict[str, Any]) -> str:
    """As `unetdyn train` records it; a configuration of the user's own may have any shape."""
    model = config.get("model")
    if not isinstance(model, dict) or not {"architecture", "filters", "depth"} <= set(model):
        return "not recorded"
    return f"{model['architecture']}, {model['filters']} filters, depth {model['depth']}"


def _best_and_last(curve: Curve, best: int | None) -> str:
    if best is None:
        return "never a number"
    return f"{curve.values[best]:.4f} at epoch {curve.epochs[best] + 1}, {curve.values[-1]:.4f} at the end"


def tested(run: Run) -> list[tuple[str, Any]]:
    """What the run's summary has from the test set: its names as words, and what is there, mostly numbers."""
    names = [name for name in sorted(run.summary) if name.startswith("test_")]
    return [(name.removeprefix("test_").replace("_", " "), run.summary[name]) for name in names]


def _stability(values: np.ndarray, config: dict[str, Any], fallen: int) -> str:
    result = stability(values, **stability_settings(config))
    return scatter_in_words(result, fallen) if result.determined and result.finite else str(result)
