"""Hours of a sweep: which rows are timed, and what is made of it."""

import pytest

from unetdyn.sweeps.cost import MOST, cost_of
from unetdyn.sweeps.design import Design
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.row_config import checked
from unetdyn.sweeps.rows import rows_of
from unetdyn.sweeps.timing import Timing


class Clock:
    """Takes a second for each filter of a model, and half with the larger batch."""

    def __init__(self):
        self.asked = []

    def __call__(self, config):
        self.asked.append(config)
        return Timing(epoch=config.model.filters * 8 / config.fit.batch_size, once=100.0)


def cost(factors, clock, epochs=10, seeds=2):
    base = {"data": {"kind": "synthetic"}, "fit": {"epochs": epochs}, "model": {"filters": 4}}
    design = Design(name="x", base=base, factors=factors, seeds=seeds)
    rows, configs = checked(base, rows_of(design, full_factorial(design.levels)))
    return rows, cost_of(rows, configs, clock)


def test_cost_times_a_row_of_each_kind_and_counts_exactly():
    clock = Clock()
    factors = {"model.filters": [2, 8], "fit.batch_size": [8, 16], "optimizer.learning_rate": [1e-3, 1e-2, 1e-1]}
    rows, found = cost(factors, clock)
    assert len(clock.asked) == 4  # rates cost nothing
    expected = sum(100 + 10 * row.settings["model.filters"] * 8 / row.settings["fit.batch_size"] for row in rows)
    assert found.hours == pytest.approx(expected / 3600)
    assert found.timed == "4 of 24 rows were timed"


def test_cost_of_more_kinds_times_each_model_with_its_smallest_batch():
    clock = Clock()
    rows, found = cost({"model.filters": [2, 8], "fit.batch_size": [4, 8, 16, 32]}, clock)
    assert [config.fit.batch_size for config in clock.asked] == [4, 4]
    assert found.hours == pytest.approx(sum(100 + 20 * row.settings["model.filters"] for row in rows) / 3600)


def test_cost_of_more_models_takes_the_mean_of_those_that_were_timed():
    clock = Clock()
    rows, found = cost({"model.filters": list(range(1, 10))}, clock, seeds=1)
    assert len(clock.asked) == MOST
    mean = sum(config.model.filters for config in clock.asked) / MOST
    timed = {config.model.filters for config in clock.asked}
    for row, seconds in zip(rows, found.seconds, strict=True):
        filters = row.settings["model.filters"]
        assert seconds == pytest.approx(100 + 10 * (filters if filters in timed else mean))


def test_cost_goes_with_the_epochs():
    clock = Clock()
    rows, found = cost({"fit.epochs": [1, 30]}, clock, seeds=1)
    assert len(clock.asked) == 1
    assert dict(zip((row.settings["fit.epochs"] for row in rows), found.seconds, strict=True)) == {1: 104, 30: 220}
