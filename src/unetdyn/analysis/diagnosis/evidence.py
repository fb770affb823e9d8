"""Everything that a rule of diagnosis may look at."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn.analysis import Curve, Curves, read_history
from unetdyn.analysis.curves import opened
from unetdyn.analysis.diagnosis.change import still_falls
from unetdyn.analysis.diagnosis.stages import comparable, loss_since
from unetdyn.analysis.metric_names import overlap_rank
from unetdyn.analysis.stability_classes import DDOF, WINDOW

Record = Mapping[str, Any]

WELL = 0.5  # an overlap from which a training has begun well: rule of thumb


@dataclass(frozen=True)
class Evidence:
    """What a training has left; made by `Evidence.read`.

    Attributes:
        curves: What was logged; of a training in stages with several losses, the losses from the last of these on.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        window: Over how many of the last epochs the end is judged.
        ddof: 1 or 0, see `unetdyn.analysis.stability`.
        status: How a run ended: `"running"`, `"finished"`, `"failed"` or `"interrupted"`; None where that is not known,
            of a History or a CSV file.
        error: What a failed run ended with; empty where nothing was recorded.
        epochs: How many there are.
        events: What happened, one dictionary each, as in `unetdyn.runs.Run.events`.
        records: The arrays of the monitors, by name; of a run, each file is read when it is first asked for.
        setup: What the run was made with, as `RunRecorder` keeps it; empty where it was not kept.
        tested: Metrics of the test set, without `test_`; empty where there was none.
        loss_since: The epoch, from 0, from which on the loss is the one that the training ended with.
    """

    curves: Curves
    metric: str | None = None
    window: int = WINDOW
    ddof: int = DDOF
    status: str | None = None
    error: str = ""
    epochs: int = 0
    events: Sequence[Mapping[str, Any]] = ()
    records: Mapping[str, Record] = field(default_factory=dict, repr=False)
    setup: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tested: Mapping[str, float] = field(default_factory=dict)
    loss_since: int = 0

    @classmethod
    def read(cls, source: Any, metric: str | None = None, window: int = WINDOW, ddof: int = DDOF) -> "Evidence":
        """Read a training, once.

        Args:
            source: An open `unetdyn.runs.Run`, the path of a run directory, or anything else that
                `unetdyn.analysis.read_history` takes: a History, a dictionary of lists, a CSV file; or evidence that
                was read already, which is returned as it is.
            metric: The metric that performance is read from, with or without `val_`. Default:
                `Curves.default_metric`, which may be none.
            window: Over how many of the last epochs the end is judged. 10 is what the studies used.
            ddof: 1 (default) or 0, see `unetdyn.analysis.stability`.

        Raises:
            ValueError: If `metric` was not logged, or the source can't be read.

        Example:
            >>> evidence = Evidence.read({"loss": [0.9, 0.5], "val_jaccard": [0.1, 0.4]})
            >>> evidence.metric, evidence.epochs, evidence.status
            ('jaccard', 2, None)
        """
        if isinstance(source, cls):
            return source
        source = opened(source)
        curves = read_history(source)
        chosen = curves.default_metric if metric is None else curves.metric(metric)
        if not isinstance(source, unetdyn.runs.Run):
            return cls(curves, chosen, window, ddof, epochs=curves.epochs)
        error = str(source.summary.get("error", ""))
        epochs, records = len(source.epochs), _Records(source)
        setup, tested, since = source.setup, _tested(source.summary), loss_since(source.stages, curves)
        curves = comparable(curves, since)
        return cls(
            curves, chosen, window, ddof, source.status, error, epochs, source.events, records, setup, tested, since
        )

    @property
    def watched_metric(self) -> tuple[str, Curve] | None:
        """The metric's name as it was logged, and its curve: of the validation where there was one."""
        return None if self.metric is None else self.curves.watched(self.metric)

    @property
    def has_loss(self) -> bool:
        """Whether a loss was logged."""
        return not {"loss", "val_loss"}.isdisjoint(self.curves)

    @property
    def goes_on(self) -> bool:
        """Whether the training still runs and its loss still falls: then little says nothing yet."""
        return self.status == "running" and still_falls(self.values("loss"))

    @property
    def carried_on(self) -> bool:
        """Whether the first epoch that was logged is a later one of a training: where it stands, it did not begin."""
        return min((int(curve.epochs[0]) for curve in self.curves.values() if len(curve.epochs)), default=0) > 0

    @property
    def began_well(self) -> bool:
        """Whether an overlap was above one half from the first epoch on, as with weights that were trained before."""
        if self.watched_metric is None or not self.is_overlap:
            return False
        values = self.watched_metric[1].values
        finite = values[np.isfinite(values)]
        return len(finite) > 0 and bool(finite.min() > WELL)

    @property
    def metric_rises(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric is not None and self.curves.direction(self.metric) != "down"

    @property
    def is_overlap(self) -> bool:
        """Whether the metric is a Jaccard, an IoU or a Dice, which lies between 0 and 1."""
        return self.metric is not None and overlap_rank(self.metric) < 2

    def values(self, name: str) -> NDArray[np.float64]:
        """What was logged under a name, oldest first; empty where nothing was."""
        return self.curves[name].values if name in self.curves else np.empty(0)

    def record(self, *keys: str) -> Record:
        """The first monitor's record that has these arrays; empty where none has."""
        return next((record for record in self.records.values() if set(keys) <= set(record)), {})

    def recorded(self, *keys: str) -> tuple[NDArray[np.float64], ...] | None:
        """Arrays of one record, with one element an epoch or step; None where no monitor recorded all of them."""
        record = self.record(*keys)
        return tuple(np.asarray(record[key], dtype=np.float64) for key in keys) if record else None

    def constant_loss(self, prefix: str = "") -> NDArray[np.float64] | None:
        """What the best constant answer costs, an epoch each, under the loss that the training ended with.

        Args:
            prefix: `val_` for the validation.

        >>> record = {"epoch": np.arange(3), "constant_loss": np.array([0.1, 0.6, 0.7])}
        >>> Evidence(Curves({}), records={"batch": record}, loss_since=1).constant_loss()
        array([0.6, 0.7])
        """
        key = f"{prefix}constant_loss"
        if self.loss_since and (found := self.recorded("epoch", key)) is not None:
            epochs, costs = found
            return costs[epochs >= self.loss_since]
        found = self.recorded(key)
        return None if found is None else found[0]

    @property
    def steps_per_epoch(self) -> int | None:
        """How many steps an epoch had; None where that is not known."""
        told = self.setup.get("steps_per_epoch")
        counts = [event.get("steps") for event in self.events if event.get("kind") == "train_begin"]
        return next((int(count) for count in [told, *counts] if _is_number(count) and count >= 1), None)

    @property
    def batch_norms(self) -> list[Mapping[str, Any]]:
        """The layers with moving statistics, as the set-up has them."""
        norms = self.setup.get("norms")
        layers = norms if isinstance(norms, list) else []
        return [layer for layer in layers if isinstance(layer, Mapping) and _is_number(layer.get("momentum"))]

    def told(self, *keys: str) -> Any:
        """What the set-up says under these keys, one within the other; None where it says nothing.

        >>> evidence = Evidence(Curves({}), setup={"loss": {"name": "dice", "config": None}})
        >>> evidence.told("loss", "name"), evidence.told("loss", "config", "gamma")
        ('dice', None)
        """
        found: Any = self.setup
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def told_number(self, *keys: str) -> float | None:
        """The same where it is a finite number, else None."""
        found = self.told(*keys)
        return float(found) if _is_number(found) else None

    @property
    def penalised(self) -> bool:
        """Whether the loss holds a penalty on the weights, which no answer can bring down."""
        return any(self.told_number(kind) for kind in ("penalty", "l1_penalty"))

    def told_names(self, key: str) -> list[str] | None:
        """The same where it is a list of names, else None."""
        found = self.told(key)
        return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None

    def told_counts(self, key: str) -> dict[str, int]:
        """How often there is each of what the set-up counts under this key; empty where it counts nothing."""
        found = self.told(key)
        counts = found.items() if isinstance(found, Mapping) else ()
        return {str(name): int(count) for name, count in counts if _is_number(count) and count >= 1}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _tested(summary: Mapping[str, Any]) -> dict[str, float]:
    """What a summary says of the test set, under names such as `test_jaccard`."""
    return {
        name.removeprefix("test_"): float(value)
        for name, value in summary.items()
        if name.startswith("test_") and isinstance(value, int | float)
    }


def _numbers(record: Record) -> dict[str, Any]:
    """Of a record its numbers, those by block with one a step: rules count on it, and a file may hold anything."""
    kept: dict[str, Any] = {}
    for name, array in record.items():
        if isinstance(array, Mapping):
            kept[name] = {key: each for key, each in array.items() if each.dtype.kind in "biuf" and each.ndim > 0}
        elif array.dtype.kind in "biuf":
            kept[name] = array
    return kept


class _Records(Mapping[str, Record]):
    """The records of a run, read when asked for and kept; one that is damaged counts as empty, with a warning."""

    def __init__(self, run: unetdyn.runs.Run) -> None:
        self._run = run
        self._read: dict[str, Record] = {}

    def __getitem__(self, name: str) -> Record:
        if name not in self._read:
            try:
                self._read[name] = _numbers(self._run.arrays(name))
            except (OSError, unetdyn.runs.RunError) as error:
                warnings.warn(f"What {name!r} recorded is left out: {error}", UserWarning, stacklevel=2)
                self._read[name] = {}
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.array_names)

    def __len__(self) -> int:
        return len(self._run.array_names)
