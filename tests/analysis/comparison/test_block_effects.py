"""Values without what blocks add, against statsmodels and in what no data can tell."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from planted_designs import run
from unetdyn.analysis.comparison.block_effects import without_block_effects

FULL = [(cell, seed) for cell in range(4) for seed in range(3)]


def planted(places):
    rng = np.random.default_rng(0)
    effects = rng.normal(size=(2, 4))
    values = {(cell, seed): effects[0, cell] + effects[1, seed] + rng.normal() for cell, seed in places}
    cells = [[run(values[place], cell=place[0], seed=place[1]) for place in places if place[0] == n] for n in range(4)]
    return cells, [np.array([each.performance for each in cell]) for cell in cells]


@pytest.mark.parametrize("lost", [(), (1, 5, 9), (0, 1)])
def test_block_effects_against_statsmodels(lost):
    """Residuals around the cells' means are those of cell + seed, and the means differ as its cells do."""
    cells, values = planted([place for n, place in enumerate(FULL) if n not in lost])
    frame = pd.DataFrame([{"y": each.performance, **each.factors} for cell in cells for each in cell])
    fitted = smf.ols("y ~ C(cell) + C(seed)", frame).fit()
    found = without_block_effects(cells, values, ["seed"])
    residuals = np.concatenate([value - value.mean() for value in found.values])
    np.testing.assert_allclose(residuals, fitted.resid, atol=1e-12)
    means = [value.mean() for value in found.values]
    np.testing.assert_allclose(np.diff(means)[0], fitted.params["C(cell)[T.1]"], atol=1e-12)
    assert (found.df, found.note) == (2, "")
    assert len(frame) - 4 - found.df == fitted.df_resid


def test_means_stay_where_every_cell_has_every_block():
    cells, values = planted(FULL)
    found = without_block_effects(cells, values, ["seed"])
    np.testing.assert_allclose([each.mean() for each in found.values], [each.mean() for each in values])


def test_what_no_data_can_tell_stays():
    cells, values = planted([(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3)])
    apart = without_block_effects(cells, values, ["seed"])
    assert (apart.df, apart.note) == (0, "seed is not allowed for: the cells fall into groups that share none")
    np.testing.assert_array_equal(np.concatenate(apart.values), np.concatenate(values))
    assert without_block_effects(cells, values, []) == (values, 0, "")
    assert without_block_effects([], [], ["seed"]) == ([], 0, "")


def test_several_blocks_add_up_as_in_anova():
    """Also where one follows from the other, and costs nothing more."""
    rng = np.random.default_rng(1)
    places = [(cell, seed, day) for cell in range(3) for seed in range(3) for day in range(2)]
    cells = [
        [run(rng.normal(), cell=n, seed=seed, day=day, of_seed=-seed) for cell, seed, day in places if cell == n]
        for n in range(3)
    ]
    values = [np.array([each.performance for each in cell]) for cell in cells]
    frame = pd.DataFrame([{"y": each.performance, **each.factors} for cell in cells for each in cell])
    fitted = smf.ols("y ~ C(cell) + C(seed) + C(day)", frame).fit()
    for blocks in (["seed", "day"], ["seed", "of_seed", "day"]):
        found = without_block_effects(cells, values, blocks)
        left = np.concatenate([value - value.mean() for value in found.values])
        np.testing.assert_allclose(left, fitted.resid, atol=1e-12)
        assert (found.df, found.note) == (3, "")
