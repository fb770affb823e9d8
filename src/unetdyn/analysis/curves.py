"""The logged values of a training, wherever they were kept: a History, a dictionary, a CSV file, a run directory."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._messages import nearest

_JACCARD_NAMES = ("jaccard", "jacard_coef")  # ours, and the widely copied tutorials'
# What callbacks and the recorder write into the logs beside metrics.
_NOT_METRICS_END = ("stability", "stability_cv", "learning_rate", "lr", "seconds", "epoch")
_NOT_METRICS_START = (
    "grad_",
    "update_ratio",
    "noise_scale",
    "trace_covariance",
    "gradient_sq",
    "skipped_",
    "agc_",
    "auto_clip_",
)
_NOT_LOGGED = ("", "NA")  # CSVLogger writes NA where an epoch had no such value


class Curve(NamedTuple):
    """One logged value over the epochs.

    Attributes:
        epochs: `(n,)` int64, ascending, from 0: those in which the value was logged.
        values: `(n,)` float64, NaN and infinity where they were logged.
    """

    epochs: NDArray[np.int64]
    values: NDArray[np.float64]


class Curves(Mapping[str, Curve]):
    """What a training logged: name → `Curve`; made by `read_history`.

    Args:
        curves: Name → (epochs, values).
        source: Where they come from, as a person would name it; it is shown in reports and errors.
    """

    def __init__(self, curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], source: str = "history") -> None:
        self._curves = {name: Curve(np.asarray(e, np.int64), np.asarray(v, float)) for name, (e, v) in curves.items()}
        self.source = source

    def __getitem__(self, name: str) -> Curve:
        return self._curves[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __repr__(self) -> str:
        return f"<Curves of {self.source}: {self.epochs} epochs of {', '.join(self) or 'nothing'}>"

    @property
    def epochs(self) -> int:
        """How many epochs there are, by the longest curve."""
        return max((len(curve.epochs) for curve in self.values()), default=0)

    def curve(self, name: str) -> Curve:
        """The curve of that name.

        Raises:
            ValueError: If it was never logged; the nearest logged name is told.
        """
        if name not in self:
            known = ", ".join(self) or "nothing"
            raise ValueError(f"{name!r} was not logged in {self.source}, which has {known}.{nearest(name, self)}")
        return self[name]

    def watched(self, name: str) -> tuple[str, Curve]:
        """The validation curve of a loss or metric, or the training's where there was no validation.

        Args:
            name: Without `val_`: `"loss"`, `"jaccard"`.

        Returns:
            The name under which it was logged, and the curve.

        Raises:
            ValueError: If neither was logged.
        """
        for candidate in (f"val_{name}", name):
            if candidate in self:
                return candidate, self[candidate]
        return name, self.curve(name)

    @property
    def default_metric(self) -> str | None:
        """`jaccard` or `jacard_coef` where logged, else the first metric with a validation value, else the first that
        looks like a metric; None where there is none."""
        bases = list(dict.fromkeys(logged.removeprefix("val_") for logged in self))
        metrics = [base for base in bases if base != "loss" and not _is_no_metric(base)]
        chosen = [base for base in _JACCARD_NAMES if base in metrics]
        chosen += [base for base in metrics if f"val_{base}" in self]
        return next(iter([*chosen, *metrics]), None)

    def metric(self, name: str | None = None) -> str:
        """The name, without `val_`, of the metric that performance is read from.

        Args:
            name: The one to take, with or without `val_`; None (default) takes `default_metric`.

        Raises:
            ValueError: If it was not logged, or there is no metric at all.
        """
        if name is not None:
            name = name.removeprefix("val_")
            self.watched(name)
            return name
        if self.default_metric is not None:
            return self.default_metric
        raise ValueError(
            f"No metric was logged in {self.source}, which has {', '.join(self) or 'nothing'}: compile the model with "
            "metrics=[ThresholdedJaccard(name='jaccard')], or pass `metric=` the name of what to look at."
        )


def read_history(source: Any, validation_freq: int | Sequence[int] = 1) -> Curves:
    """The logged values of a training that anybody ran.

    Args:
        source: A `keras.callbacks.History`; a dictionary of lists, such as its `history`; the path of a file that
            `keras.callbacks.CSVLogger` wrote; a run directory's path, or an open `unetdyn.runs.Run`; or `Curves`.
        validation_freq: What was passed to `fit`: a History does not say in which epochs validation took place. The
            other sources do, and need it not.

    Returns:
        `Curves`. Rows of a CSV file are sorted by their epoch; of two rows of one epoch, as a training that was broken
        off and taken up again leaves them, the later counts.

    Raises:
        TypeError: If the source is none of these.
        FileNotFoundError: If there is no such file or run directory.
        ValueError: If a value is not a number, or `validation_freq` does not fit.

    Example:
        >>> curves = read_history({"loss": [0.9, 0.5], "val_loss": [0.8, 0.6], "val_jaccard": [0.1, 0.4]})
        >>> curves.metric(), curves["val_jaccard"].values.tolist()
        ('jaccard', [0.1, 0.4])
    """
    if isinstance(source, Curves):
        return source
    if isinstance(source, unetdyn.runs.Run):
        return _from_run(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return _from_csv(path) if path.is_file() and path.name != "run.json" else _from_run(unetdyn.runs.open(path))
    logs = getattr(source, "history", source)
    if not isinstance(logs, Mapping):
        raise TypeError(
            "`history` must be a keras History, a dictionary of lists, the path of a CSVLogger file or of a run "
            f"directory, or a Run. Received: {type(source).__name__}."
        )
    return _from_logs(logs, getattr(source, "epoch", None), validation_freq)


def _is_no_metric(base: str) -> bool:
    return base.endswith(_NOT_METRICS_END) or base.startswith(_NOT_METRICS_START)


def _from_run(run: "unetdyn.runs.Run") -> Curves:
    return Curves({name: run.series(name) for name in run.history if name != "epoch"}, run.path.name)


def _from_logs(logs: Mapping[str, Any], epoch: Sequence[int] | None, frequency: int | Sequence[int]) -> Curves:
    columns = {name: _numbers(name, values) for name, values in logs.items() if name != "epoch"}
    count = max((len(values) for values in columns.values()), default=0)
    epoch = logs["epoch"] if epoch is None and "epoch" in logs else epoch
    epochs = np.asarray(range(count) if epoch is None or len(epoch) < count else epoch, np.int64)[-count or None :]
    validated = epochs[[_is_validated(int(number), frequency) for number in epochs]]
    curves = {}
    for name, values in columns.items():
        own = validated if name.startswith("val_") else epochs
        if len(values) > len(own) or (name == "val_loss" and len(values) != len(own)):
            raise ValueError(
                f"`validation_freq` must be what was passed to `fit`. Received: validation_freq={frequency}, which "
                f"makes {len(own)} validations in {count} epochs, but {name} has {len(values)} values."
            )
        # A key that callbacks add late, such as `stability`, has values for the last epochs only.
        curves[name] = (own[len(own) - len(values) :], values)
    return Curves(curves)


def _numbers(name: str, values: Any) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim != 1:
        raise ValueError(
            f"`history` must hold one number an epoch under each name. Received: {name!r}: {str(values)[:80]}."
        )
    return array


def _is_validated(epoch: int, frequency: int | Sequence[int]) -> bool:
    """Keras' own rule, for epochs that count from 0."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency


def _from_csv(path: Path) -> Curves:
    with path.open(newline="", encoding="utf-8") as file:
        header = file.readline()
        separator = max(",;\t", key=header.count)  # CSVLogger has any the user likes
        file.seek(0)
        rows = list(csv.DictReader(file, delimiter=separator))
    if not rows or not header.strip():
        raise ValueError(f"{path} must hold a header and a row for each epoch, as CSVLogger writes. It has no rows.")
    numbered = {int(_cell(path, line, "epoch", row.get("epoch") or str(line))): row for line, row in enumerate(rows)}
    epochs = sorted(numbered)
    curves = {}
    for name in rows[0]:
        cells = [(epoch, numbered[epoch].get(name)) for epoch in epochs]
        logged = [(epoch, cell) for epoch, cell in cells if cell is not None and cell not in _NOT_LOGGED]
        if name is None or name == "epoch" or not any(_is_number(cell) for _, cell in logged):
            continue  # a column of lists or words is no curve
        values = [_cell(path, epoch, name, cell) for epoch, cell in logged]
        curves[name] = (np.array([epoch for epoch, _ in logged]), np.array(values))
    return Curves(curves, path.name)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _cell(path: Path, line: int, name: str, cell: str) -> float:
    if not _is_number(cell):
        raise ValueError(f"{path} must hold numbers. Received: {cell!r} as {name} in the row of epoch {line}.")
    return float(cell)
