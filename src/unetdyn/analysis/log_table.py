"""Rows of what was logged, in which much may be missing, and the curves that they make."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.log_names import is_epoch, is_step, keras_names
from unetdyn.analysis.series import last_training, whole_epochs

Row = Mapping[str, float]
"""What was logged at once, by name; what was not logged is not in it."""

Columns = dict[str, tuple[NDArray[Any], NDArray[Any]]]
"""Name → (epochs, values), as `Curves` takes them."""


def curves_of_rows(rows: Sequence[Row], source: str, header: str = "") -> Columns:
    """The curves of a table whose rows are epochs, or parts of epochs.

    A column `epoch` numbers the epochs; where it begins with 1, it counts from 1. A row without one belongs to the
    next that has one. Fractions are the share that has passed, where there are steps too. Without any epoch, a column
    of steps tells: where all was logged at the same steps, each is an epoch; otherwise each validation ends one, which
    is told by a warning. Without steps each row is an epoch.

    Of several values of an epoch the last counts; those of several steps of the training are averaged, as Keras
    averages over batches. Names become those of Keras, see `keras_names`.

    Args:
        rows: Oldest first.
        source: What the table is called in errors and warnings.
        header: What else is said where it holds several trainings.

    Raises:
        ValueError: If an epoch is no whole number.

    Example:
        >>> rows = [{"epoch": 0, "val_loss": 0.6}, {"epoch": 0, "train_loss": 0.7}, {"epoch": 1, "train_loss": 0.5}]
        >>> curves_of_rows(rows, "metrics.csv")["loss"]
        (array([0, 1]), array([0.7, 0.5]))
    """
    names = keras_names(dict.fromkeys(name for row in rows for name in row))
    rows = [row for row in rows if any(name in names for name in row)]
    epochs = _epochs(rows, names, source)
    kept = last_training(epochs, source, header)
    steps = _steps(rows)
    curves = {}
    for name, called in names.items():
        places = np.array([at for at, row in enumerate(rows) if name in row and kept[at]], dtype=np.int64)
        if not len(places):
            continue
        values = np.array([rows[at][name] for at in places], dtype=np.float64)
        when = epochs[places]
        if steps is not None and not called.startswith("val_") and len(np.unique(steps[places])) == len(places):
            when, values = _means(when, values)
        curves[called] = (when, values)
    return curves


def _epochs(rows: Sequence[Row], names: Mapping[str, str], source: str) -> NDArray[np.int64]:
    told = [next((value for name, value in row.items() if is_epoch(name)), None) for row in rows]
    if any(value is not None for value in told):
        try:
            epochs = whole_epochs(_begun(_filled(told), rows))
        except ValueError as error:
            raise ValueError(f"{source} must number its epochs: {error}") from error
        return epochs - 1 if len(epochs) and epochs.min() == 1 else epochs
    steps = _steps(rows)
    if steps is None:
        return np.arange(len(rows))
    taken = [tuple(step for step, row in zip(steps.tolist(), rows, strict=True) if name in row) for name in names]
    distinct = np.unique(steps)
    if len(set(taken)) > 1 and any(called.startswith("val_") for called in names.values()):
        return _ended_by_validation(rows, steps, names, source)
    carried_on = len(distinct) > 0 and distinct[0] > 1 and bool(np.all(np.diff(distinct) == 1))
    return steps.astype(np.int64) if carried_on else np.searchsorted(distinct, steps)


def _filled(told: Sequence[float | None]) -> list[float]:
    """Each row's epoch; of a row without one that of the next with one, at the end that of the last."""
    filled, known = [], next(value for value in reversed(told) if value is not None)
    for value in reversed(told):
        known = known if value is None else value
        filled.append(known)
    return filled[::-1]


def _begun(told: list[float], rows: Sequence[Row]) -> list[float]:
    """Where steps are logged with the share of epochs that has passed, as Hugging Face does, the epoch of each."""
    shares = np.array(told)
    if np.all(np.isfinite(shares) & (shares >= 0)) and np.any(shares % 1) and _steps(rows) is not None:
        return list(np.maximum(np.ceil(shares) - 1, 0))
    return told


def _steps(rows: Sequence[Row]) -> NDArray[np.float64] | None:
    """Each row's step; None where a row has none, or where it says nothing, being the same everywhere."""
    steps = [next((value for name, value in row.items() if is_step(name)), None) for row in rows]
    known = np.array([value for value in steps if value is not None], dtype=np.float64)
    if len(known) < len(rows) or len(np.unique(known)) < 2 or not np.all(np.isfinite(known) & (abs(known) < 2**53)):
        return None
    return known


def _ended_by_validation(
    rows: Sequence[Row], steps: NDArray[np.float64], names: Mapping[str, str], source: str
) -> NDArray[np.int64]:
    validated = [any(name in row and called.startswith("val_") for name, called in names.items()) for row in rows]
    ends = np.unique(steps[np.array(validated)])
    if np.array_equal(np.unique(steps), ends):
        return np.searchsorted(ends, steps)
    text = (
        f"{source} has steps and no epochs, so each of its {len(ends)} validations is taken for the end of an epoch, "
        "and what was logged of the training since the one before is averaged; a column `epoch` would tell."
    )
    warnings.warn(text, UserWarning, stacklevel=2)
    return np.searchsorted(ends, steps)


def _means(epochs: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found, inverse = np.unique(epochs, return_inverse=True)
    if len(found) == len(epochs):
        return epochs, values
    with np.errstate(invalid="ignore", over="ignore"):
        return found, np.bincount(inverse, weights=values) / np.bincount(inverse)


def rows_of_columns(columns: Mapping[str, Sequence[float | None]]) -> list[Row]:
    """Rows of equally long columns, in which None stands for what was not logged.

    >>> rows_of_columns({"epoch": [0, 1], "val_loss": [None, 0.5]})
    [{'epoch': 0}, {'epoch': 1, 'val_loss': 0.5}]
    """
    names = list(columns)
    table = zip(*columns.values(), strict=True)
    return [{name: cell for name, cell in zip(names, cells, strict=True) if cell is not None} for cells in table]


def rows_of_series(series: Mapping[str, Sequence[tuple[int, float]]], source: str, axis: str = "step") -> list[Row]:
    """Rows of values that were logged one by one, each with its step; of each name those of the last training.

    Args:
        series: Name → step and value, in the order in which they were written.
        source: What the log is called in a warning.
        axis: What the steps are: `"step"`, or `"epoch"`.

    Example:
        >>> rows_of_series({"loss": [(0, 0.9), (1, 0.5)], "val_loss": [(1, 0.6)]}, "run", axis="epoch")
        [{'epoch': 0.0, 'loss': 0.9}, {'epoch': 1.0, 'loss': 0.5, 'val_loss': 0.6}]
    """
    rows: dict[int, dict[str, float]] = {}
    with warnings.catch_warnings():
        for place, (name, logged) in enumerate(series.items()):
            kept = last_training(np.array([step for step, _ in logged], dtype=np.int64), source)
            for (step, value), is_kept in zip(logged, kept, strict=True):
                if is_kept:
                    rows.setdefault(step, {axis: float(step)})[name] = value
            if place == 0:  # the others would say the same
                warnings.simplefilter("ignore", UserWarning)
    return [rows[step] for step in sorted(rows)]
