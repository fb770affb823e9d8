"""How many hours a sweep takes, from a few timed epochs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unetdyn.sweeps.table import Row, hash_of

if TYPE_CHECKING:
    from unetdyn.experiment import Config
    from unetdyn.sweeps.timing import Timing

MOST = 6
"""So many rows are timed at most: it takes a minute or so each."""


@dataclass(frozen=True)
class Cost:
    """What `cost_of` found.

    Attributes:
        seconds: Of each row, one after the other, on this machine, trained to its last epoch.
        timed: In words, which rows were timed.
        each: In words, the epoch of each of them.
    """

    seconds: tuple[float, ...]
    timed: str
    each: tuple[str, ...]

    @property
    def hours(self) -> float:
        """Of all rows, one after the other."""
        return sum(self.seconds) / 3600


def cost_of(rows: Sequence[Row], configs: Sequence[Config], timer: Callable[[Config], Timing]) -> Cost:
    """Time a row of each kind that may last as long as no other, and count.

    Rows of one kind have the same model, data, batch size and precision; seeds and learning rates cost nothing. Where
    there are more than six kinds, one row of each model is timed, that with the smallest batch, and the others of that
    model are taken to last as long an epoch: larger batches are fewer steps, and hardly last longer. Where there are
    more than six models, six are timed, and others are taken to last as long as these in the mean.

    Args:
        rows: Of the design.
        configs: Of each row.
        timer: Such as `unetdyn.sweeps.timing.time_run`.

    Returns:
        A `Cost`.
    """
    kinds = [hash_of(_costly(config)) for config in configs]
    if len(set(kinds)) > MOST:
        kinds = [hash_of(config.model.model_dump()) for config in configs]
    found: dict[str, Timing] = {}
    each = []
    for kind in list(dict.fromkeys(kinds))[:MOST]:
        candidates = [number for number, other in enumerate(kinds) if other == kind]
        chosen = min(candidates, key=lambda number: configs[number].fit.batch_size)
        found[kind] = timer(configs[chosen])
        each.append(f"{found[kind].epoch:.3g} s an epoch of {_settings(rows[chosen])}")
    epochs = [sum(stage.epochs for stage in config.trained) for config in configs]
    seconds = []
    for kind, count in zip(kinds, epochs, strict=True):
        timings = [found[kind]] if kind in found else list(found.values())
        seconds.append(sum(timing.of_run(count) for timing in timings) / len(timings))
    timed = f"{len(found)} of {len(rows)} rows were timed"
    return Cost(tuple(seconds), timed, tuple(each))


def _costly(config: Config) -> dict[str, Any]:
    """What of a configuration decides how long an epoch lasts."""
    data = config.data.model_dump(mode="json", exclude={"seed"})
    fit = config.fit.model_dump(exclude={"epochs", "keep_state"})
    return {"model": config.model.model_dump(), "data": data, "fit": fit}


def _settings(row: Row) -> str:
    return ", ".join(f"{key.rpartition('.')[2]} {level}" for key, level in row.settings.items())
