"""A band with two thresholds: what has left it counts as back only further inside."""

from typing import Any

from unetdyn.analysis.result import number


class Band:
    """For how many epochs in a row a value has been out of its band, and for how many calm.

    It is out from `act` on, and stays out until it is below `calm`: a value that jitters about one threshold would else
    be in and out in turn. A value that is not known, NaN, changes nothing.

    Args:
        name: What the value is, as a person reads it.
        act: From here on it is out.
        calm: Below it is calm; at most `act`.
        source: Where the two come from.

    Attributes:
        out: For how many known values in a row it has been out.
        calm_for: For how many it has been calm.

    Example:
        >>> band = Band("σ", act=0.1, calm=0.05)
        >>> seen = []
        >>> for value in (0.2, 0.08, float("nan"), 0.04, 0.08):
        ...     band.look(value)
        ...     seen.append((band.out, band.calm_for))
        >>> seen
        [(1, 0), (2, 0), (2, 0), (0, 1), (0, 0)]
    """

    def __init__(self, name: str, act: float, calm: float, source: str = "") -> None:
        self.name, self.act, self.calm, self.source = name, act, calm, source
        self.begin()

    def begin(self) -> None:
        """Nothing is known yet."""
        self.out = self.calm_for = 0
        self.value = float("nan")

    def look(self, value: float) -> None:
        """Take the value of an epoch."""
        if value != value:
            return
        self.value = value
        is_out = value >= self.act or (self.out > 0 and value >= self.calm)
        self.out = self.out + 1 if is_out else 0
        self.calm_for = self.calm_for + 1 if value < self.calm else 0

    @property
    def words(self) -> str:
        """The value and its band; of one that is only there or not, how long it has been there."""
        epochs = "1 epoch" if self.out == 1 else f"{self.out} epochs"
        if self.act == self.calm:
            return f"{self.name} for {epochs}"
        below = f" (now {number(self.value)}, not yet < {self.calm:g})" if self.value < self.act else ""
        value = f"{self.act:g}" if below else number(self.value)
        return f"{self.name} {value} ≥ {self.act:g} for {epochs}{below}"

    def get_state(self) -> dict[str, Any]:
        """What the next epochs depend on."""
        return {"out": self.out, "calm_for": self.calm_for, "value": self.value}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where `get_state` was asked."""
        self.out, self.calm_for, self.value = state["out"], state["calm_for"], state["value"]
