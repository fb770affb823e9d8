"""Which figures of the studies (docs/studies.md) hold, by the rows of a table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from unetdyn.analysis import STUDIES_TABLES

from .combinations import ARCHITECTURES

Row = Mapping[str, Any]

NEAR = 0.03
"""How far a Jaccard may be from theirs and still be called the same: theirs differ by 0.009 between architectures."""

HOLDS, PARTLY, FAILS, OPEN = "holds", "holds in part", "does not hold", "not measured"


class Claim(NamedTuple):
    """A statement of the studies, and what the table says of it.

    Attributes:
        theirs: What they say, with their figures.
        ours: The same of these runs.
        verdict: One of `HOLDS`, `PARTLY`, `FAILS`, `OPEN`.
    """

    theirs: str
    ours: str
    verdict: str


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Every claim that can be asked of such a table; one whose runs are missing is not measured."""
    makers = (_broken, _mended, _times, _sigma_broken, _sigma_mended, _calmer, _order, _sigma_tells, _random_tells)
    return [make(rows) for make in makers]


def mean(rows: Iterable[Row], key: str, **where: str) -> float:
    """The mean of a column over the rows that `where` describes, thus over seeds; NaN where there is none."""
    held = [row[key] for row in rows if all(row[name] == value for name, value in where.items())]
    held = [value for value in held if value is not None]
    return float(np.mean(held)) if held else float("nan")


def _each(rows: Sequence[Row], key: str, recipe: str, split: str) -> list[float]:
    """A value for each architecture, in their order; NaN where it was not trained."""
    return [mean(rows, key, architecture=one, recipe=recipe, split=split) for one in ARCHITECTURES]


def _studies(table: str, column: str) -> list[float]:
    """Theirs, of the same three."""
    return [float(cell) for cell in STUDIES_TABLES[table].column(column).values()]


def _verdict(wanted: Callable[[float, float], bool], ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Whether each of ours is as theirs, of those that were trained."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if np.isfinite(a)]
    right = sum(wanted(a, b) for a, b in pairs)
    if not pairs:
        return OPEN
    return HOLDS if right == len(pairs) else PARTLY if right else FAILS


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= NEAR


def _list(values: Sequence[float], digits: int = 3) -> str:
    shown = (f"{value:.{digits}f}" if np.isfinite(value) else "–" if np.isnan(value) else "∞" for value in values)
    return ", ".join(shown)


def _broken(rows: Sequence[Row]) -> Claim:
    soft, hard = (_each(rows, key, "broken", "random") for key in ("soft_best", "object_best"))
    theirs = _studies("before and after", "broken")
    return Claim(
        f"the broken runs reach a Jaccard of {_list(theirs)} (U-Net, Attention U-Net, Attention ResU-Net)",
        f"at its best, the soft Jaccard that such runs log reads {_list(soft)}; thresholded, the same nets reach "
        f"{_list(hard)}",
        _verdict(_near, soft, theirs),
    )


READINGS = {
    "object, random split": ("object", "random"),
    "both classes, random split": ("two_class", "random"),
    "object, honest split": ("object", "honest"),
    "both classes, honest split": ("two_class", "honest"),
    "object, test": ("test_object", "honest"),
    "both classes, test": ("test_two_class", "honest"),
}
"""What a Jaccard of 0.93 could be: the studies don't say. The test's are of the nets of the honest split."""


def _mended(rows: Sequence[Row]) -> Claim:
    theirs = _studies("before and after", "mended")
    ours = {name: _each(rows, key, "mended", split) for name, (key, split) in READINGS.items()}
    ours = {name: values for name, values in ours.items() if not np.isnan(values).all()}
    verdicts = {name: _verdict(_near, values, theirs) for name, values in ours.items()}
    right = [name for name, verdict in verdicts.items() if verdict == HOLDS]
    found = "; ".join(f"{name} {_list(values)}" for name, values in ours.items()) or "no mended run"
    end = f". Within {NEAR:g} of theirs: {' and '.join(right) or 'none of these'}"
    return Claim(
        f"the mended runs reach {_list(theirs)}",
        found + end * bool(ours),
        OPEN if not ours else HOLDS if len(right) == len(ours) else PARTLY if right else FAILS,
    )


def _times(rows: Sequence[Row]) -> Claim:
    after, soft_after = (np.array(_each(rows, key, "mended", "random")) for key in ("object", "soft_best"))
    soft, hard = (np.array(_each(rows, key, "broken", "random")) for key in ("soft_best", "object_best"))
    theirs = _studies("before and after", "times")
    with np.errstate(divide="ignore", invalid="ignore"):
        as_they, alike, softly = after / soft, after / hard, soft_after / soft
    return Claim(
        f"that is {_list(theirs, 1)} times better",
        f"thresholded after over soft before, as they count: {_list(as_they, 1)}; thresholded over thresholded: "
        f"{_list(alike, 1)}; soft over soft: {_list(softly, 1)}",
        _verdict(lambda a, b: 0.8 * b <= a <= 1.25 * b, alike, theirs),
    )


def _sigma_broken(rows: Sequence[Row]) -> Claim:
    theirs = _studies("stability before and after", "broken")
    ours = _each(rows, "sigma", "broken", "random")
    return Claim(
        f"σ of the broken runs' validation loss is {_list(theirs)}: moderate to very poor by their classes",
        _list(ours, 4),
        _verdict(lambda a, _: a >= 0.05, ours, theirs),
    )


def _sigma_mended(rows: Sequence[Row]) -> Claim:
    ours = _each(rows, "sigma", "mended", "random")
    return Claim(
        "σ of the mended runs is 0.01 to 0.05",
        f"{_list(ours, 4)}; σ has the unit of the loss, and a focal loss with γ = 2 is itself small",
        _verdict(lambda a, _: 0.01 <= a <= 0.05, ours, ours),
    )


def _calmer(rows: Sequence[Row]) -> Claim:
    before, after = (np.array(_each(rows, "sigma", recipe, "random")) for recipe in ("broken", "mended"))
    theirs = _studies("stability before and after", "times")
    return Claim(
        f"mending makes σ {_list(theirs, 0)} times smaller",
        _list(before / after, 1),
        _verdict(lambda a, _: 0.9 * min(theirs) <= a <= 1.1 * max(theirs), list(before / after), theirs),
    )


def _order(rows: Sequence[Row]) -> Claim:
    ours = _each(rows, "test_object", "mended", "honest")
    seeds = len({row["seed"] for row in rows})
    known = not np.isnan(ours).any()
    same = known and bool(np.all(np.diff(ours) > 0))
    return Claim(
        "Attention ResU-Net is best, then Attention U-Net, then U-Net, 0.009 from first to last",
        f"on the test, U-Net, Attention U-Net, Attention ResU-Net have {_list(ours)}"
        + (f": {max(ours) - min(ours):.3f} from first to last, with {seeds} seed{'s' * (seeds > 1)}" if known else ""),
        OPEN if not known else HOLDS if same else FAILS,
    )


def _sigma_tells(rows: Sequence[Row]) -> Claim:
    calm = [row for row in rows if row["sigma_class"] in ("Excellent", "Good")]
    collapsed = [row for row in calm if row["object_share"] < 0.5]
    return Claim(
        "a small σ of the validation loss says that the training is stable",
        f"of {len(calm)} runs that σ calls Excellent or Good, {len(collapsed)} fell below half of the best "
        "thresholded Jaccard so far within the last ten epochs",
        OPEN if not calm else FAILS if collapsed else HOLDS,
    )


def _random_tells(rows: Sequence[Row]) -> Claim:
    held = {
        split: [float(np.nanmean(_each(rows, key, "mended", split))) for key in ("object", "test_object")]
        for split in ("random", "honest")
        if not np.isnan(_each(rows, "object", "mended", split)).all()
    }
    found = "; ".join(
        f"{split} split: validation {value:.3f}, test {test:.3f}" for split, (value, test) in held.items()
    )
    value, test = held.get("random", (np.nan, np.nan))
    return Claim(
        "a validation on tiles says what a network is worth (no test on sections apart is told of)",
        f"Jaccard of the object, a mean of the architectures, mended: {found or 'none'}",
        OPEN if np.isnan(value) else HOLDS if value - test <= NEAR else FAILS,
    )
