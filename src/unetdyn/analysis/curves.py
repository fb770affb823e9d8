"""The logged values of a training, wherever they were kept: a History, a dictionary, a CSV file, a run directory."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._checks import nearest
from unetdyn.analysis.declarations import Direction
from unetdyn.analysis.history_logs import read_logs
from unetdyn.analysis.log_keys import NOTHING, LogKeys, log_keys_of, log_keys_of_model
from unetdyn.analysis.log_names import with_keras_names
from unetdyn.analysis.metric_names import best_epoch, direction, is_metric, less_is_better, overlap_rank
from unetdyn.analysis.series import Curve, whole_epochs
from unetdyn.analysis.sources.data_frame import is_frame, read_frame
from unetdyn.analysis.sources.json_log import rows_of_dictionaries
from unetdyn.analysis.sources.paths import read_path

Stage = tuple[int, str]
"""The first epoch of a stage, from 0, and its name."""


class Curves(Mapping[str, Curve]):
    """What a training logged: name → `Curve`; made by `read_history`.

    Args:
        curves: Name → (epochs, values). They are sorted by epoch; of two values of one epoch the later counts.
        source: Where they come from, as a person would name it; it is shown in reports and errors.
        log_keys: What the run recorded of its log keys: which are metrics of the model, and what monitors declared.
            Default nothing, as of a History or a CSV file: names must tell then.
        stages: Of a training in stages, the first epoch (from 0) and the name of each, oldest first. Default none.
    """

    def __init__(
        self,
        curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
        source: str = "history",
        log_keys: LogKeys = NOTHING,
        stages: Sequence[Stage] = (),
    ) -> None:
        self._curves = {name: _in_order(*columns) for name, columns in curves.items()}
        self.source = source
        self.log_keys = log_keys
        self.stages = tuple(stages)

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

    def direction(self, name: str) -> Direction | None:
        """Whether more of a logged value is better (`"up"`), less (`"down"`) or neither (`"none"`).

        What Keras' metric object says comes first, where the run recorded it, then what monitors declare, then the
        name; None where nothing tells.
        """
        return direction(name, self.log_keys)

    def best(self, name: str) -> int | None:
        """Where a logged value was best, a place in its curve: lowest or highest by its direction.

        None where it never was finite.
        """
        return best_epoch(self.curve(name).values, self.direction(name))

    @property
    def default_metric(self) -> str | None:
        """The metric that performance is read from; None where there is none of which more is better.

        `jaccard` or `jacard_coef` where logged, else another Jaccard, IoU or Dice, else any metric; of several the
        first with a validation value. Losses and errors are none. A metric is what the run recorded as one, what has a
        validation value, or a name in common use; what callbacks write beside the metrics is none: see `metric_names`.
        """
        return self._first(lambda base: not less_is_better(base, self.log_keys))

    @property
    def default_panel(self) -> str | None:
        """What a picture shows beside the loss: `default_metric`, or else the first error; None where there is none."""
        return self.default_metric or self._first(lambda base: less_is_better(base, self.log_keys))

    def _first(self, wanted: Callable[[str], bool]) -> str | None:
        metrics = (logged for logged in self if is_metric(logged, self, self.log_keys))
        bases = dict.fromkeys(logged.removeprefix("val_") for logged in metrics)
        return min(
            filter(wanted, bases), key=lambda base: (overlap_rank(base), f"val_{base}" not in self), default=None
        )

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
        raise ValueError(f"N{self.no_metric[1:]}.")

    @property
    def no_metric(self) -> str:
        """What is said where there is no `default_metric`: what was logged, and what to do."""
        return (
            f"no metric of which more is better was logged in {self.source}, which has {', '.join(self) or 'nothing'}: "
            "compile with metrics=[ThresholdedJaccard(name='jaccard')], or pass `metric=` the name of what to look at"
        )


def read_history(source: Any, validation_freq: int | Sequence[int] | None = None) -> Curves:
    """The logged values of a training that anybody ran.

    Args:
        source: A `keras.callbacks.History`; a dictionary of lists, such as its `history`, where a list `epoch` tells
            the epochs; a list of dictionaries, one a row; a table of pandas, polars or Arrow; a run directory's path,
            or an open `unetdyn.runs.Run`; `Curves`; or the path of what was logged elsewhere: a CSV file, of
            `keras.callbacks.CSVLogger`, Lightning, W&B, TensorBoard or a spreadsheet, a history in JSON or `.npz`, a
            folder of TensorBoard's event files (extra `tensorboard`), a run of MLflow's file store. A History that
            still has its model also tells which values are its metrics.
        validation_freq: What was passed to `fit`: a History does not say in which epochs validation took place. None
            (default) takes the one whole number that makes so many validations in so many epochs. A list of epochs
            must be given. The other sources say when, and need it not.

    Returns:
        `Curves`, sorted by epoch. Of two values of one epoch the later counts. Where the epochs drop back to the
        first, another training was appended: only the last is read, with a warning; where they drop back to a later
        one, the training was taken up again from there. A column without a number, such as a metric of several
        classes, is no curve and is left out. Names of other frameworks become those of Keras: `val/loss` is `val_loss`.

    Raises:
        TypeError: If the source is none of these.
        FileNotFoundError: If there is no such file or run directory.
        ImportError: If TensorBoard is needed and not installed.
        ValueError: If a value is not a number, an epoch not a whole one, a file not a table of numbers; or if
            `validation_freq` does not fit, or more than one would.

    Example:
        >>> curves = read_history({"loss": [0.9, 0.5], "val_loss": [0.8, 0.6], "val_jaccard": [0.1, 0.4]})
        >>> curves.metric(), curves["val_jaccard"].values.tolist()
        ('jaccard', [0.1, 0.4])
    """
    if isinstance(source, Curves):
        return source
    source = opened(source)
    if isinstance(source, unetdyn.runs.Run):
        return _from_run(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        columns = read_path(path, validation_freq)
        return _from_run(unetdyn.runs.open(path)) if columns is None else Curves(columns, path.name)
    if is_frame(source):
        return Curves(read_frame(source))
    logs = getattr(source, "history", source)
    if isinstance(logs, list) and logs and all(isinstance(row, Mapping) for row in logs):
        return Curves(rows_of_dictionaries(logs, "history"))
    if not isinstance(logs, Mapping):
        raise TypeError(
            "`history` must be a keras History, a dictionary of lists, a list of dictionaries, a data frame, the path "
            "of a CSV file, of another log or of a run directory, or a Run. "
            f"Received: {type(source).__name__}."
        )
    logs = with_keras_names(logs) if logs is source else logs
    curves = read_logs(logs, getattr(source, "epoch", None), validation_freq)
    return Curves(curves, log_keys=log_keys_of_model(getattr(source, "model", None), curves))


def opened(source: Any) -> Any:
    """The path of a run directory, or of its `run.json`, as the open `Run`; all else as it is.

    >>> opened({"loss": [0.5]})
    {'loss': [0.5]}
    """
    if not isinstance(source, str | os.PathLike):
        return source
    path = Path(source)
    header = path if path.name == "run.json" else path / "run.json"
    return unetdyn.runs.open(header.parent) if header.exists() else source


def loss_pairs(curves: Curves) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Epochs, training losses and validation losses of the epochs that have both; empty without one of them.

    >>> loss_pairs(Curves({"loss": ([0, 1, 2], [0.9, 0.5, 0.4]), "val_loss": ([1], [0.6])}))
    (array([1]), array([0.5]), array([0.6]))
    """
    if "loss" not in curves or "val_loss" not in curves:
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    training, validation = curves["loss"], curves["val_loss"]
    epochs, trained, validated = np.intersect1d(training.epochs, validation.epochs, return_indices=True)
    return epochs, training.values[trained], validation.values[validated]


def _in_order(epochs: NDArray[Any], values: NDArray[Any]) -> Curve:
    numbers, array = whole_epochs(epochs), np.asarray(values, np.float64)
    if np.all(np.diff(numbers) > 0):
        return Curve(numbers, array)
    numbers, at = np.unique(numbers[::-1], return_index=True)
    return Curve(numbers, array[::-1][at])


def _from_run(run: "unetdyn.runs.Run") -> Curves:
    curves = {name: run.series(name) for name in run.history if name != "epoch"}
    return Curves(curves, run.path.name, log_keys_of(run), stages_of(run.stages))


def stages_of(recorded: Any) -> list[Stage]:
    """The first epochs and names of stages, of what a run says of them; what is damaged is left out.

    >>> stages_of([{"name": "coarse", "epoch": 0, "setup": {}}, {"name": "fine", "epoch": 30}, "damaged"])
    [(0, 'coarse'), (30, 'fine')]
    """
    known = [each for each in recorded if isinstance(each, Mapping)] if isinstance(recorded, list | tuple) else []
    told = [(each.get("epoch"), each.get("name")) for each in known]
    return [(epoch, name) for epoch, name in told if type(epoch) is int and epoch >= 0 and isinstance(name, str)]
