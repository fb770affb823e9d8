"""A run, or several side by side, as a table of text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unetdyn.analysis.stability import DDOF, WINDOW, check_window, stability
from unetdyn.runs import Run


def describe(runs: Sequence[Run]) -> str:
    """The figures that decide, one row each, one column a run.

    Args:
        runs: from `unetdyn.runs.open`.

    Returns:
        A text of a few lines: how the run ended, its best and last Jaccard, its stability and class, and where it is.
    """
    columns = [_rows(run) for run in runs]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    cells = [[label, *(column.get(label, "") for column in columns)] for label in labels]
    widths = [max(len(row[i]) for row in cells) for i in range(len(runs) + 1)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    notes = [f"{run.path.name}: {note}" for run in runs for note in run.notes]
    return "\n".join(lines + notes)


def _rows(run: Run) -> dict[str, str]:
    config = run.config
    epochs = len(run.epochs)
    rows = {
        "run": run.path.name,
        "status": run.status,
        "model": _model(config),
        "epochs": str(epochs) if epochs else "none yet",
    }
    for name, label in (("val_jaccard", "validation Jaccard"), ("val_soft_jaccard", "validation soft Jaccard")):
        if name in run.history:
            rows[label] = _best_and_last(*run.series(name))
    for name in sorted(run.summary):
        if name.startswith("test_"):
            rows[f"test {name.removeprefix('test_').replace('_', ' ')}"] = f"{run.summary[name]:.4f}"
    if "val_loss" in run.history:
        rows["validation loss, stability"] = _stability(run.series("val_loss")[1], config)
    rows["directory"] = str(run.path)
    picture = run.path / "history.png"
    if picture.is_file():
        rows["picture"] = str(picture)
    return rows


def _model(config: dict[str, Any]) -> str:
    """As `unetdyn train` records it; a configuration of the user's own may have any shape."""
    model = config.get("model")
    if not isinstance(model, dict) or not {"architecture", "filters", "depth"} <= set(model):
        return "not recorded"
    return f"{model['architecture']}, {model['filters']} filters, depth {model['depth']}"


def _best_and_last(epochs: np.ndarray, values: np.ndarray) -> str:
    if not np.isfinite(values).any():
        return "never a number"
    best = int(np.nanargmax(values))
    return f"{values[best]:.4f} at epoch {epochs[best] + 1}, {values[-1]:.4f} at the end"


def stability_settings(config: dict[str, Any]) -> dict[str, Any]:
    """`window` and `ddof` as `unetdyn train` records them, or their defaults.

    A configuration of the user's own may have any shape: what is missing there or makes no standard deviation counts
    for nothing.

    >>> stability_settings({"callbacks": {"stability": {"window": "ten", "ddof": 0}}})
    {'window': 10, 'ddof': 0}
    """
    callbacks = config.get("callbacks")
    settings = callbacks.get("stability") if isinstance(callbacks, dict) else None
    settings = settings if isinstance(settings, dict) else {}
    window, ddof = settings.get("window"), settings.get("ddof")
    return {"window": window if _usable(window, DDOF) else WINDOW, "ddof": ddof if _usable(WINDOW, ddof) else DDOF}


def _usable(window: Any, ddof: Any) -> bool:
    try:
        check_window(window, ddof)
    except (TypeError, ValueError):
        return False
    return True


def _stability(values: np.ndarray, config: dict[str, Any]) -> str:
    result = stability(values, **stability_settings(config))
    if not (result.defined and result.finite):
        return str(result)
    variation = f"coefficient of variation {result.coefficient_of_variation:.1%}"
    return f"σ {result.sigma:.2g}, {result.label}; {variation}"
