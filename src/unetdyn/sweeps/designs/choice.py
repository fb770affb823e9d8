"""Which combinations a design asks for, and what is to be known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unetdyn.sweeps.design import Design
from unetdyn.sweeps.designs.d_optimal import d_optimal, effects
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.designs.latin_hypercube import latin_hypercube
from unetdyn.sweeps.designs.random_draws import random_draws
from unetdyn.sweeps.designs.regular_fraction import MOST_FACTORS, Fraction, by_resolution, fraction, letters
from unetdyn.sweeps.levels import same
from unetdyn.sweeps.table import SweepError

Cells = list[dict[str, Any]]


@dataclass(frozen=True)
class Choice:
    """What `choose` found.

    Attributes:
        cells: Key → level of each combination.
        left_out: How many combinations the design has and its exclusions forbid.
        notes: In words, what kind of choice it is and what it can't tell.
    """

    cells: Cells
    left_out: int
    notes: tuple[str, ...]


def choose(design: Design) -> Choice:
    """The combinations of a design.

    Args:
        design: From `read_design`.

    Returns:
        Its combinations, in the order of the design.

    Raises:
        SweepError: If there are none, or not as many as it asks for.

    Example:
        >>> design = Design(name="x", base={}, factors={"a": [1, 2], "b": [1, 2]}, seeds=1, exclude=[{"a": 1, "b": 2}])
        >>> choose(design).cells
        [{'a': 1, 'b': 1}, {'a': 2, 'b': 1}, {'a': 2, 'b': 2}]
    """
    choice = _OF_KIND[design.design.kind](design)
    if len(choice.cells) < 2:
        raise SweepError(
            f"A sweep must have two combinations or more. Received: {len(choice.cells)}, with {choice.left_out} "
            "left out by `exclude`."
        )
    return choice


def _factorial(design: Design) -> Choice:
    every = full_factorial(design.levels)
    cells = _allowed(every, design)
    return Choice(cells, len(every) - len(cells), ("every combination",))


def _fractional(design: Design) -> Choice:
    scheme = design.design
    two_levels = all(len(levels) == 2 for levels in design.levels.values())
    if scheme.resolution is not None or (two_levels and not design.exclude and not scheme.interactions):
        regular = _regular(design, two_levels)
        if regular is not None:
            return regular
    every = full_factorial(design.levels)
    allowed = [number for number, cell in enumerate(every) if not design.excludes(cell)]
    model = effects(every, design.levels, scheme.interactions)
    found = d_optimal(model, allowed, scheme.runs or 0, scheme.seed)
    asked = "main effects" + "".join(f", {one} × {other}" for one, other in scheme.interactions)
    note = (
        f"{len(found.chosen)} of {len(every)} combinations, D-optimal for {asked}: D-efficiency "
        f"{100 * found.efficiency:.1f} %, 100 % being what a run of the full factorial tells; any other interaction "
        "can bias these effects"
    )
    return Choice([every[number] for number in found.chosen], len(every) - len(allowed), (note,))


def _regular(design: Design, two_levels: bool) -> Choice | None:
    """The regular fraction; None where `runs` alone is given, and none has so many."""
    scheme, factors = design.design, design.levels
    if not two_levels or design.exclude or scheme.interactions or len(factors) > MOST_FACTORS:
        if scheme.resolution is None:
            return None
        raise SweepError(
            f"`design.resolution` is for up to {MOST_FACTORS} factors with two levels each, without `exclude` and "
            f"`interactions`; give `design.runs` instead. Received: {len(factors)} factors with "
            f"{', '.join(str(len(levels)) for levels in factors.values())} levels."
        )
    if scheme.runs is None:
        found = by_resolution(len(factors), scheme.resolution or 3)
    else:
        basic = scheme.runs.bit_length() - 1
        if scheme.runs != 1 << basic or not len(factors) < scheme.runs <= 1 << len(factors):
            if scheme.resolution is None:
                return None
            raise SweepError(
                f"`design.runs` with `resolution` must be a power of 2 above the number of factors and up to "
                f"{1 << len(factors)}. Received: runs={scheme.runs}; leave it out for the smallest."
            )
        found = fraction(len(factors), basic)
    if scheme.resolution is not None and (found.resolution or scheme.resolution) < scheme.resolution:
        raise SweepError(
            f"`design.runs` must be enough for a resolution of {scheme.resolution}. Received: runs={scheme.runs}, "
            f"which has {found.resolution}; leave `runs` out for the smallest."
        )
    keys = list(factors)
    cells = [{key: factors[key][bit] for key, bit in zip(keys, row, strict=True)} for row in found.levels()]
    return Choice(cells, 0, tuple(_notes(found, keys)))


def _notes(found: Fraction, keys: Sequence[str]) -> list[str]:
    whole, runs = 1 << len(keys), 1 << found.basic
    if found.resolution is None:
        return [f"all {whole} combinations: no fraction of them has that resolution"]
    named = ", ".join(f"{letters([number])}: {key}" for number, key in enumerate(keys))
    defining = " = ".join(["I", *(letters(word) for word in found.words)])
    notes = [
        f"{runs} of {whole} combinations, a regular fraction of resolution {found.resolution}: "
        f"{', '.join(found.generators)} ({named}); {defining}"
    ]
    aliases = "; ".join(" = ".join(effects) for effects in found.aliases())
    notes.append(
        f"can't be told apart: {aliases}" if aliases else "effects and interactions of two are clear of each other"
    )
    return notes


def _latin_hypercube(design: Design) -> Choice:
    runs = design.design.runs or 0
    drawn = latin_hypercube(design.factors, runs, design.design.seed)
    different = list({same(cell): cell for cell in drawn}.values())
    cells = _allowed(different, design)
    notes = [f"a Latin hypercube of {runs} draws"]
    if len(different) < runs:
        notes.append(
            f"{runs - len(different)} draws repeat others, and are left out: levels no longer come equally often"
        )
    return Choice(cells, len(different) - len(cells), tuple(notes))


def _random(design: Design) -> Choice:
    scheme = design.design
    cells = random_draws(design.factors, scheme.runs or 0, scheme.seed, lambda draw: not design.excludes(draw))
    return Choice(cells, 0, (f"{len(cells)} random draws",))


def _allowed(cells: Cells, design: Design) -> Cells:
    return [cell for cell in cells if not design.excludes(cell)]


_OF_KIND = {
    "factorial": _factorial,
    "fractional": _fractional,
    "latin_hypercube": _latin_hypercube,
    "random": _random,
}
