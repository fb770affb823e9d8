"""What the trainings come to: each control against nothing or Keras' own, seed by seed, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Row = Mapping[str, Any]

NOTHING, PLATEAU = "nothing", "ReduceLROnPlateau"
CONFIDENCE = 0.95
HEAD = (
    *("control", "σ", "σ over that of nothing", "best Jaccard", "against nothing", "last Jaccard", "against nothing"),
    *("epochs",),
)


class Interval(NamedTuple):
    """A mean, and the 95 % interval of Student's t about it."""

    mean: float
    low: float
    high: float

    @property
    def side(self) -> int:
        """1 where it lies above 0, −1 below, 0 where 0 is in it."""
        return int(self.low > 0) - int(self.high < 0)


def interval(differences: Sequence[float]) -> Interval:
    """Of the mean of paired differences, by Student's t.

    >>> [round(end, 3) for end in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    values = np.asarray(differences, np.float64)
    mean = float(values.mean())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half)


class Compared(NamedTuple):
    """A control in one set-up on one set of data: means over the seeds, and paired differences to a base, as nothing.

    `sigma` is a median, `ratio` the interval of the logarithm of the quotient of the two σ, NaN where one of them is 0,
    as that of a net that has died. `same`: whether all trainings were those of the base, to the last bit.
    """

    arm: str
    seeds: int
    sigma: float
    ratio: Interval
    best: float
    best_difference: Interval
    last: float
    last_difference: Interval
    epochs: float
    same: bool


def compared(rows: Sequence[Row], data: str, setup: str, base: str = NOTHING) -> list[Compared]:
    """The base first, then the controls in the order of their coming; each by the seeds that both have."""
    chosen = [row for row in rows if row["data"] == data and row["setup"] == setup]
    plain = {row["seed"]: row for row in chosen if row["arm"] == base}
    found = []
    for arm in dict.fromkeys(row["arm"] for row in chosen):
        own = {row["seed"]: row for row in chosen if row["arm"] == arm and row["seed"] in plain}
        if len(own) < 2:
            continue
        pairs = [(row, plain[seed]) for seed, row in sorted(own.items())]
        found.append(
            Compared(
                arm,
                len(pairs),
                float(np.median([row["sigma"] for row, _ in pairs])),
                interval([_log_ratio(row["sigma"], other["sigma"]) for row, other in pairs]),
                float(np.mean([row["best"] for row, _ in pairs])),
                interval([row["best"] - other["best"] for row, other in pairs]),
                float(np.mean([row["last"] for row, _ in pairs])),
                interval([row["last"] - other["last"] for row, other in pairs]),
                float(np.mean([row["epochs"] for row, _ in pairs])),
                all(row[key] == other[key] for row, other in pairs for key in ("sigma", "best", "last", "epochs")),
            )
        )
    return sorted(found, key=lambda each: each.arm != base)


def _log_ratio(sigma: float, other: float) -> float:
    return float(np.log(sigma / other)) if sigma > 0 and other > 0 else float("nan")


def tables(rows: Sequence[Row]) -> list[str]:
    """A table in Markdown for each set-up and set of data."""
    return [f"**{setup.capitalize()}, {data}**\n\n{_table(compared(rows, data, setup))}" for setup, data in cases(rows)]


def cases(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(set-up, data) pairs, in the order of their coming."""
    setups, sets = (dict.fromkeys(row[key] for row in rows) for key in ("setup", "data"))
    return [(setup, data) for setup in setups for data in sets if compared(rows, data, setup)]


def sentences(rows: Sequence[Row], base: str = NOTHING) -> list[str]:
    """One for each control: where it differs from the base, with the figures, and where it does not."""
    found: dict[str, list[tuple[str, Compared]]] = {}
    for setup, data in cases(rows):
        for each in compared(rows, data, setup, base):
            if each.arm not in (NOTHING, base):
                found.setdefault(each.arm, []).append((f"{setup}, {data}", each))
    longest = max((row["epochs"] for row in rows), default=0)
    return [f"- **{arm}**: {_said(each, longest, base)}" for arm, each in found.items()]


def _said(cells: Sequence[tuple[str, Compared]], longest: float, base: str) -> str:
    if all(each.same for _, each in cells):
        return "it did nothing in any of these trainings."
    well, ill = ("Helped", "Harmed") if base == NOTHING else ("Better", "Worse")
    groups: dict[str, list[str]] = {well: [], ill: []}
    for where, each in cells:
        for what, one, good, shown in (
            ("σ", each.ratio, -1, _ratio(each.ratio)),
            ("best Jaccard", each.best_difference, 1, _signed(each.best_difference)),
            ("last Jaccard", each.last_difference, 1, _signed(each.last_difference)),
        ):
            if one.side:
                groups[well if one.side == good else ill].append(f"{what} {shown} ({where})")
    parts = [f"{name}: {'; '.join(told)}" for name, told in groups.items() if told]
    shorter = [f"{each.epochs:.0f} ({where})" for where, each in cells if each.epochs < longest]
    ended = f" It stopped after a mean of {', '.join(shorter)} epochs." if shorter else ""
    return (". ".join(parts) + "." if parts else f"no difference to {base} is shown, for good or ill.") + ended


def _table(found: Sequence[Compared]) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *map(_line, found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(each: Compared) -> list[str]:
    differs = each.arm != NOTHING
    return [
        each.arm if differs else "*nothing*",
        f"{each.sigma:.4f}",
        _told(each, _ratio(each.ratio)),
        f"{each.best:.3f}",
        _told(each, _signed(each.best_difference)),
        f"{each.last:.3f}",
        _told(each, _signed(each.last_difference)),
        f"{each.epochs:.0f}",
    ]


def _told(each: Compared, difference: str) -> str:
    if each.arm == NOTHING:
        return ""
    return "same" if each.same else difference


def _ratio(one: Interval) -> str:
    if np.isnan(one.mean):
        return "—"
    mean, low, high = np.exp(one)
    return f"×{mean:.2f} [{low:.2f}, {high:.2f}]"


def _signed(one: Interval) -> str:
    return f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
