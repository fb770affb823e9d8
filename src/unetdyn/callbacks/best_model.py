"""The choice of the best model of a training: by which logged value, and whether an epoch has a better one."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unetdyn._checks import check_choice
from unetdyn.analysis.declarations import Direction
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import recorder as messages
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.analysis.metric_names import best_epoch, direction, overlap_rank
from unetdyn.callbacks.logged_number import logged_number

MODES = ("auto", "max", "min")


class BestModel:
    """Which epoch is the best so far, by one logged value.

    Args:
        name: In `logs`; None for no choice, `"auto"` for one that is made as soon as something is validated.
        mode: `"max"`, `"min"`, or `"auto"`.

    Attributes:
        name: As it was given, or what `"auto"` has become.
        direction: Whether more of it is better, `"up"`, or `"down"`; None as long as that is not known.
        best: (epoch, value), or None; set by whoever has saved the model.
        awaited: The same of one that is being saved, which the next must be better than.

    Raises:
        ValueError: If `mode` is unknown.

    Example:
        >>> chosen = BestModel("loss", "auto")
        >>> chosen.concern(0, {"loss": 0.5}, LogKeys({}, {})), chosen.direction
        (None, 'down')
        >>> chosen.best = (0, 0.5)
        >>> chosen.is_better(0.4), chosen.is_better(0.6)
        (True, False)
    """

    def __init__(self, name: str | None, mode: str) -> None:
        check_choice("mode", mode, MODES)
        self.name = name
        self.direction: Direction | None = {"max": "up", "min": "down"}.get(mode)  # type: ignore[assignment]
        self.best: tuple[int, float] | None = None
        self.awaited: tuple[int, float] | None = None
        self._warned = False

    def get_state(self) -> dict[str, Any]:
        """What another process needs to go on comparing."""
        return {"name": self.name, "direction": self.direction, "best": self.best, "warned": self._warned}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on where another process was."""
        self.name, self.direction, self.best = state["name"], state["direction"], state["best"]
        self._warned = state["warned"]

    def settle(self, logs: Mapping[str, Any], metrics: Mapping[str, Direction | None]) -> None:
        """Say what `"auto"` is; it stays as long as nothing was validated.

        Args:
            logs: Of an epoch.
            metrics: Those of the model, without `val_`, and what is better of each.
        """
        if self.name != "auto":
            return
        names = [f"val_{name}" for name, way in metrics.items() if way is not None]
        names = [name for name in names if logged_number(logs.get(name)) is not None]
        self.name = min(names, key=overlap_rank, default="val_loss" if "val_loss" in logs else "auto")

    def value(self, logs: Mapping[str, Any]) -> float | None:
        """Of this epoch; None where it was not logged, or is not one number."""
        if self.name is None or self.name not in logs or np.size(logs[self.name]) != 1:
            return None
        return float(logs[self.name])

    def concern(self, epoch: int, logs: Mapping[str, Any], keys: LogKeys) -> Finding | None:
        """Decide on the direction; what the user is told, once: that nothing can be chosen, or that it is a guess.

        Args:
            epoch: From 0.
            logs: Of the epoch.
            keys: What is known of the logged values.
        """
        if self.name is None:
            return None
        if self.value(logs) is None:
            warned, self._warned = self._warned, True
            if warned:
                return None
            if self.name in logs:
                return messages.best_not_single(self.name, epoch, np.size(logs[self.name]))
            return messages.best_not_logged(self.name, epoch, list(logs))
        return messages.direction_assumed(self.name) if self.guesses(self.name, keys) else None

    def guesses(self, name: str, keys: LogKeys) -> bool:
        """Decide on the direction where that is not known yet; whether it is a guess, that more is better.

        Args:
            name: Of the value.
            keys: What is known of the logged values.
        """
        if self.direction is not None:
            return False
        found = direction(name, keys)
        self.direction = found if found in ("up", "down") else "up"
        return found != self.direction

    def is_better(self, value: float) -> bool:
        """Whether it is better than the best so far; the first that is a number is."""
        latest = self.awaited or self.best
        before = [] if latest is None else [latest[1]]
        return best_epoch(np.array([*before, value]), self.direction) == len(before)
