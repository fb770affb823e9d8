"""The rows of a design: each once, in an order that a sweep may be cut short in."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.sweeps.design import Design
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.rows import rows_of
from unetdyn.sweeps.table import SweepError


def design_of(levels=3, seeds=2, blocks=0, exclude=(), seed=0):
    return Design(
        name="x",
        base={},
        factors={"a": list(range(levels)), "b": [1, 2]},
        seeds=seeds,
        blocks={"c": list(range(blocks))} if blocks else {},
        exclude=list(exclude),
        design={"seed": seed},
    )


def rows_for(design):
    return rows_of(design, full_factorial(design.levels))


@settings(max_examples=30)
@given(levels=st.integers(2, 5), seeds=st.integers(1, 4), blocks=st.sampled_from([0, 2, 3]), seed=st.integers(0, 2**31))
def test_rows_have_everything_once_and_are_balanced_wherever_they_end(levels, seeds, blocks, seed):
    rows = rows_for(design_of(levels, seeds, blocks, seed=seed))
    cells, laps = levels * 2, blocks or 1
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len({(row.cell, row.seed, str(row.blocks)) for row in rows}) == len(rows) == cells * seeds * laps
    for end in range(1, len(rows) + 1):
        counts = Counter(row.cell for row in rows[:end])
        assert max(counts.values()) - min(counts.get(cell, 0) for cell in range(1, cells + 1)) <= 1
    for lap in range(seeds * laps):  # each pass has the settings of the blocks about equally often
        if blocks:
            counts = Counter(row.blocks["c"] for row in rows[lap * cells : (lap + 1) * cells])
            assert max(counts.values()) - min(counts.get(each, 0) for each in range(blocks)) <= 1
    assert [row.seed for row in rows] == sorted(row.seed for row in rows)


def test_rows_of_a_cell_have_its_settings():
    for row in rows_for(design_of()):
        assert row.settings == full_factorial({"a": [0, 1, 2], "b": [1, 2]})[row.cell - 1]


def test_rows_are_in_a_random_order_of_the_designs_seed():
    orders = [[row.cell for row in rows_for(design_of(5, seed=seed))] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][:10] != orders[0][10:]  # another one for each seed


def test_rows_exclude_settings_of_blocks_too():
    rows = rows_for(design_of(blocks=2, exclude=[{"a": 1, "c": 0}]))
    assert len(rows) == 6 * 2 * 2 - 2 * 2
    assert not any(row.settings["a"] == 1 and row.blocks["c"] == 0 for row in rows)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))


def test_rows_that_are_all_excluded_are_refused():
    with pytest.raises(SweepError, match="`exclude` must leave combinations to run"):
        rows_for(design_of(blocks=2, exclude=[{"c": 0}, {"c": 1}]))
