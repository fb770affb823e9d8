"""Missing runs against what was taken away."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planted_designs import run
from unetdyn.analysis import missing_cells

PLAN = [
    {"architecture": name, "batch_size": batch, "seed": seed} for name, batch, seed in product("ab", (8, 16), (0, 1, 2))
]


def made(rows):
    return [run(0.5, f"{place}", **row) for place, row in enumerate(rows)]


CELLS = [{"architecture": name, "batch_size": batch} for name, batch in product("ab", (8, 16))]
RUNS = made(PLAN)


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(0, len(PLAN) - 1)))
def test_missing_is_what_was_taken_away(gone):
    found = missing_cells([RUNS[place] for place in range(len(PLAN)) if place not in gone], PLAN)
    said = {(*cell.settings.values(), seed) for cell in found.missing for seed in cell.seeds}
    assert said == {tuple(PLAN[place].values()) for place in gone}
    assert (found.planned, found.finished, found.cells) == (12, 12 - len(gone), 4)
    kept = [row for place, row in enumerate(PLAN) if place not in gone]
    left = [[row["seed"] for row in kept if row | cell == row] for cell in CELLS]
    assert found.balanced == (len({len(seeds) for seeds in left}) == 1 and bool(left[0]))
    assert list(found.empty_cells) == [cell for cell, seeds in zip(CELLS, left, strict=True) if not seeds]
    assert bool(found) == bool(gone)


def test_missing_cells_infers_the_design_from_the_runs_alone():
    found = missing_cells(made(PLAN[:9]))
    assert (found.planned, found.finished, found.inferred) == (12, 9, True)
    assert found.missing[0].settings == {"architecture": "b", "batch_size": 16}
    assert "architecture b, batch_size 16: seeds 0, 1, 2; and so the whole cell" in str(found)
    assert missing_cells(made(PLAN)).factors == {"architecture": ("a", "b"), "batch_size": (8, 16)}
    assert missing_cells([run(0.5, a=1, seed=0), run(0.6, a=1, seed=1)]).cells == 1


def test_missing_cells_takes_a_plan_with_holes_as_it_is():
    half = [row for row in PLAN if (row["architecture"] == "a") == (row["batch_size"] == 8)]
    found = missing_cells(made(half), half)
    assert (found.planned, found.cells, found.missing, found.balanced) == (6, 2, (), True)


def test_missing_cells_counts_runs_where_no_seed_is_planned():
    plan = [{"filters": n} for n in (8, 8, 16, 16)]
    found = missing_cells([run(0.5, filters=8, seed=3), run(0.5, filters=16, seed=4), run(0.5, filters=16)], plan)
    assert [(cell.settings, len(cell.seeds)) for cell in found.missing] == [({"filters": 8}, 1)]
    assert "filters 8: 1 runs; 1 finished" in str(found)


def test_missing_cells_names_runs_without_a_number_and_those_that_were_not_planned():
    runs = [*made(PLAN[:-1]), run(float("nan"), "diverged", **PLAN[-1]), run(0.5, "other", **PLAN[0] | {"seed": 9})]
    found = missing_cells(runs, PLAN)
    assert found.without_number == {"diverged": "its performance is not a number"}
    assert found.unplanned == ("other",)
    assert found.missing[0].seeds == (2,)
    twice = missing_cells([*made(PLAN), run(0.5, "again", **PLAN[0])], PLAN)
    assert (twice.unplanned, twice.finished, twice.missing) == (("again",), 12, ())


def test_missing_cells_of_no_runs_at_all():
    found = missing_cells([], PLAN)
    assert (found.finished, len(found.missing), found.balanced) == (0, 4, False)


def test_missing_cells_refuses_what_is_no_plan():
    with pytest.raises(TypeError, match=r"`planned` must hold one mapping, factor → level.*Received: \['a'\]"):
        missing_cells([run(0.5, filters=8)], ["a"], factors="filters")
    with pytest.raises(ValueError, match=r"`planned` must have one row at least, and every factor.*some without depth"):
        missing_cells([], [{"filters": 8}], factors=["filters", "depth"])
    with pytest.raises(ValueError, match="Received: 0 rows"):
        missing_cells([], [], factors="filters")
