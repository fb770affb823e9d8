"""fANOVA against closed forms, brute force over the whole grid, and Optuna."""

from itertools import combinations, product

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from planted_designs import run
from unetdyn.analysis import anova, importance


def test_shares_of_a_function_whose_variance_is_known():
    """y = 3a + 2b + c·a·b on ±1: each term has the square of its coefficient; every cell is in every tree."""
    cells = [cell for cell in product((-1, 1), (-1, 1), ("x", "y")) for _ in range(12)]
    runs = [run(3 * a + 2 * b + a * b, a=a, b=b, c=c) for a, b, c in cells]
    found = importance(runs, ["a", "b", "c"]).importances
    expected = {"a": 9 / 14, "b": 4 / 14, "a × b": 1 / 14, "c": 0, "a × c": 0, "b × c": 0}
    assert {name: share.share for name, share in found.items()} == pytest.approx(expected, abs=1e-9)
    assert {name: share.eta_squared for name, share in found.items()} == pytest.approx(expected, abs=1e-9)
    assert list(found)[:3] == ["a", "b", "a × b"]


def test_a_smooth_function_has_nearly_its_shares():
    """y = x + 2z on [0, 1]²: Var(2z) = 4 Var(x), so 0.2 and 0.8."""
    rng = np.random.default_rng(0)
    runs = [run(x + 2 * z, x=x, z=z) for x, z in rng.uniform(size=(250, 2))]
    whole = importance(runs, ["x", "z"], trees=32)
    assert whole.notes[0].startswith("there are too few runs for so many levels")
    found = whole.importances
    assert np.isnan(found["x"].eta_squared)
    assert found["x"].share == pytest.approx(0.2, abs=0.05)
    assert found["z"].share == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("lost", [0, 12])
def test_shares_by_brute_force_over_the_whole_grid(lost):
    """Each tree's predictions at every combination of levels, and means of means of these."""
    rng = np.random.default_rng(0)
    levels = {"model": ["u", "v", "w"], "rate": [1e-4, 1e-3, 1e-2, 1e-1], "batch": [8, 16]}
    rows = [cell for cell in product(*levels.values()) for _ in range(2)]
    rows = [rows[place] for place in sorted(rng.permutation(len(rows))[lost:])]
    y = rng.normal(size=len(rows))
    runs = [run(v, **dict(zip(levels, row, strict=True))) for v, row in zip(y, rows, strict=True)]
    found = importance(runs, list(levels), trees=5)
    names = list(dict.fromkeys(row[0] for row in rows))  # in the order in which they first appear

    def encode(row):
        return [*(row[0] == name for name in names), levels["rate"].index(row[1]), row[2] > 8]

    forest = RandomForestRegressor(n_estimators=5, random_state=0)
    forest.fit(np.array([encode(row) for row in rows], dtype=float), y - y.mean())
    grid = np.array([encode(row) for row in product(*levels.values())], dtype=float)
    shares = {name: [] for name in found.importances}
    for tree in forest.estimators_:
        whole = tree.predict(grid).reshape(3, 4, 2)
        mains = [whole.mean(axis=tuple({0, 1, 2} - {axis}), keepdims=True) - whole.mean() for axis in range(3)]
        for axis, name in enumerate(levels):
            shares[name].append(mains[axis].var() / whole.var())
        for (i, one), (j, other) in combinations(enumerate(levels), 2):
            both = whole.mean(axis=3 - i - j, keepdims=True) - whole.mean() - mains[i] - mains[j]
            shares[f"{one} × {other}"].append(both.var() / whole.var())
    for name, share in found.importances.items():
        assert share.share == pytest.approx(np.mean(shares[name]))
        assert share.scatter == pytest.approx(np.std(shares[name]))
    assert found.higher == pytest.approx(1 - sum(share.share for share in found.importances.values()))


def test_shares_of_single_factors_are_those_of_optuna():
    optuna = pytest.importorskip("optuna")
    rng = np.random.default_rng(0)
    names = ["u", "v", "w"]
    drawn = zip(rng.integers(0, 3, 300), rng.uniform(size=300), rng.normal(0, 0.1, 300), strict=True)
    rows = [(names[k], x, 3 * (k == 1) + 4 * x + e) for k, x, e in drawn]
    distributions = {
        "model": optuna.distributions.CategoricalDistribution(names),
        "x": optuna.distributions.FloatDistribution(0, 1),
    }
    study = optuna.create_study()
    for m, x, y in rows:
        params = {"model": m, "x": x}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=y))
    theirs = optuna.importance.FanovaImportanceEvaluator(seed=0).evaluate(study)
    ours = importance([run(y, model=m, x=x) for m, x, y in rows], ["model", "x"]).importances
    assert {name: ours[name].share for name in theirs} == pytest.approx(theirs, abs=0.03)


def test_importance_stands_beside_the_anova():
    rng = np.random.default_rng(0)
    runs = [run(a + rng.normal(), a=a, b=b) for a in (0, 1) for b in (0, 1) for _ in range(3)]
    found = importance(runs, ["a", "b"])
    effects = anova(runs, ["a", "b"], order=2).effects
    expected = {name: effects[name].eta_squared for name in found.importances}
    assert {name: share.eta_squared for name, share in found.importances.items()} == expected
    assert importance(runs, ["a", "b"]) == found
    assert importance(runs, "a").importances["a"].share == pytest.approx(1)


def test_importance_says_why_there_is_none():
    assert importance([run(0.5, a=1)], "a").reason == "there are fewer than two runs"
    assert importance([run(0.5, a=1), run(0.5, a=2)], "a").reason == "the performance is the same in every run"
    alone = importance([run(0.5, a=1), run(0.6, a=1)], "a")
    assert alone.reason == "no tree found any difference between settings"
    assert "undetermined: no tree" in str(alone)
    with pytest.raises(ValueError, match=r"`trees` must be a whole number, 1 or more. Received: trees=0"):
        importance([], "a", trees=0)
