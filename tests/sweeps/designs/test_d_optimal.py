"""D-optimal subsets against brute force."""

from itertools import combinations

import numpy as np
import pytest

from unetdyn.sweeps.designs.d_optimal import d_optimal, effects
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.table import SweepError

STUDIES = {"architecture": ["UNet", "AttentionUNet", "AttentionResUNet"], "rate": [1e-3, 5e-3], "batch": [8, 16]}
EVERY = full_factorial(STUDIES)


def determinant(model, rows):
    return np.linalg.det(model[list(rows)].T @ model[list(rows)])


@pytest.mark.parametrize("runs", range(5, 12))
def test_d_optimal_is_the_best_of_all_subsets_of_3_by_2_by_2(runs):
    model = effects(EVERY, STUDIES)
    found = d_optimal(model, range(12), runs, seed=3)
    best = max(determinant(model, rows) for rows in combinations(range(12), runs))
    assert determinant(model, found.chosen) == pytest.approx(best, rel=1e-9)
    whole = determinant(model, range(12))
    assert found.efficiency == pytest.approx((best / runs**5 / (whole / 12**5)) ** (1 / 5), rel=1e-9)


def test_d_optimal_with_an_interaction_and_exclusions_is_the_best_of_all():
    model = effects(EVERY, STUDIES, [("rate", "batch")])
    allowed = [number for number, cell in enumerate(EVERY) if cell["architecture"] != "UNet" or cell["rate"] < 2e-3]
    found = d_optimal(model, allowed, 7)
    assert set(found.chosen) <= set(allowed)
    best = max(determinant(model, rows) for rows in combinations(allowed, 7))
    assert determinant(model, found.chosen) == pytest.approx(best, rel=1e-9)


def test_effects_span_what_dummies_span():
    model = effects(EVERY, STUDIES)
    dummies = np.array(
        [[1, *(cell[key] == level for key in STUDIES for level in STUDIES[key])] for cell in EVERY], float
    )
    assert np.linalg.matrix_rank(np.hstack([model, dummies])) == np.linalg.matrix_rank(dummies) == model.shape[1] == 5
    assert np.allclose(model.T @ model, 12 * np.eye(5))


def test_d_optimal_whole_factorial_is_fully_efficient():
    found = d_optimal(effects(EVERY, STUDIES), range(12), 12)
    assert found.chosen == tuple(range(12))
    assert found.efficiency == pytest.approx(1)


@pytest.mark.parametrize("runs", [4, 13])
def test_d_optimal_number_out_of_range_is_refused(runs):
    with pytest.raises(SweepError, match=rf"must be from 5, .* to 12, all combinations.* Received: runs={runs}\."):
        d_optimal(effects(EVERY, STUDIES), range(12), runs)


def test_d_optimal_exclusions_that_confound_are_refused():
    model = effects(EVERY, STUDIES)
    allowed = [number for number, cell in enumerate(EVERY) if (cell["rate"] < 2e-3) == (cell["batch"] == 8)]
    with pytest.raises(SweepError, match="`exclude` must leave combinations that tell all effects apart"):
        d_optimal(model, allowed, 6)
