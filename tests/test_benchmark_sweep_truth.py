"""A cheap share of `benchmarks/sweep_truth.py`: false alarms and coverage on its own designs."""

import numpy as np
import pytest

from scripts_by_path import benchmarks_importable
from unetdyn.analysis import effect_intervals, robust_tests

DRAWS = 40


@pytest.fixture(scope="module")
def truth():
    with benchmarks_importable():
        import sweep_truth
    return sweep_truth


@pytest.mark.parametrize("name", ["equal", "unequal"])
def test_without_an_effect_no_test_alarms_more_often_than_it_says(truth, name):
    """p is uniform then: the mean of 40 has a standard error of 0.046, and the share below 0.05 one of 0.034."""
    rng, noise = np.random.default_rng(0), truth.SCATTERS[name][0]
    found = []
    for draw in range(DRAWS):
        runs = truth.design(rng, noise, np.zeros(3))
        test = robust_tests(runs, truth.FACTORS, permutations=99, seed=draw).tests["architecture"]
        found.append((test.p, test.welch_p, test.permutation_p))
    assert np.mean(found, axis=0) == pytest.approx(0.5, abs=0.18)
    assert (np.mean(np.array(found) < 0.05, axis=0) < 0.17).all()


def test_all_intervals_hold_the_planted_differences_as_often_as_they_say(truth):
    """Of 40 draws: 0.95 has a standard error of 0.034."""
    rng, held = np.random.default_rng(1), []
    for _ in range(DRAWS):
        pairs = effect_intervals(truth.design(rng, truth.equal, truth.EFFECT), ["architecture"]).differences[
            "architecture"
        ]
        held.append(all(p.low <= truth.EFFECT[p.one] - truth.EFFECT[p.other] <= p.high for p in pairs))
    assert np.mean(held) == pytest.approx(0.95, abs=0.11)


def test_designs_are_as_they_are_said_to_be(truth):
    runs = truth.design(np.random.default_rng(0), truth.equal, truth.EFFECT, lost=9)
    counts = {}
    for run in runs:
        cell = tuple(run.factors[name] for name in truth.FACTORS)
        counts[cell] = counts.get(cell, 0) + 1
    assert (len(runs), len(counts), min(counts.values())) == (27, 12, 2)
    many = np.array([truth.unequal(np.random.default_rng(n), 2) for n in range(2000)])
    assert many.std() == pytest.approx(2, rel=0.08)
