"""What the record of a run says of its log keys."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import unetdyn.runs
from unetdyn.analysis.declarations import DECLARATIONS, DIRECTIONS, Declaration, DeclaredDisplay, Direction


@dataclass(frozen=True)
class LogKeys:
    """Which logged values are metrics, and what the monitors declared; with nothing, what ours always declare.

    Attributes:
        metrics: Metrics of the model, without `val_` → the direction of Keras' metric object; None where it has none.
        monitors: Name of a record → what its monitor declared.
    """

    metrics: Mapping[str, Direction | None] = field(default_factory=dict)
    monitors: Mapping[str, Declaration] = field(default_factory=dict)

    def declared_direction(self, key: str) -> Direction | None:
        """That of a key which a monitor, a control or the recorder writes; None where none declares it."""
        found = (each.direction_of(key) for each in (*self.monitors.values(), *DECLARATIONS))
        return next(filter(None, found), None)

    def displays_of(self, record: str) -> tuple[DeclaredDisplay, ...]:
        """The pictures of a record: what its monitor declared, or else all that a monitor of ours declares."""
        if record in self.monitors:
            return self.monitors[record].displays
        return tuple({each.array: each for declared in DECLARATIONS for each in declared.displays}.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys that a table of epochs shows: ours, then those of the run's other monitors, last the recorder's."""
        *ours, recorder = DECLARATIONS
        order = (*ours, *self.monitors.values(), recorder)
        return tuple(dict.fromkeys(column for declared in order for column in declared.named().columns))


NOTHING = LogKeys()


def log_keys_of(run: "unetdyn.runs.Run") -> LogKeys:
    """What a run directory says of its log keys; nothing for a run that was written before they were declared."""
    metrics = {name: cast(Direction, way) if way in DIRECTIONS else None for name, way in run.metrics.items()}
    return LogKeys(metrics, {name: Declaration.from_json(name, kept) for name, kept in run.monitors.items()})


def log_keys_of_model(model: Any, logged: Container[str]) -> LogKeys:
    """What a Keras model, if there is one, says of the values that its training logged; Keras is not imported for it.

    With several outputs metrics are logged under other names than their own, and nothing is said of those.

    Args:
        model: Anything; of what has no `metrics` nothing is known.
        logged: The names of the logged values.
    """
    known: dict[str, Direction | None] = {}
    for metric in getattr(model, "metrics", ()):
        # What `compile` was given is within one metric of Keras' own.
        for each in (metric, *getattr(metric, "metrics", ())):
            name, way = getattr(each, "name", ""), getattr(each, "_direction", None)
            if name != "loss" and (name in logged or f"val_{name}" in logged):
                known[name] = way if way in ("up", "down") else None
    return LogKeys(known)
