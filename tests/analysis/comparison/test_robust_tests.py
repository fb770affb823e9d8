"""Welch's and permutation tests against SciPy, statsmodels and brute force."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from planted_designs import FACTORS, grid, run, several
from unetdyn.analysis import anova, robust_tests

ALL = {"alternative": "greater", "n_resamples": np.inf, "vectorized": False}
GROUPS = {"a": [0.51, 0.60, 0.55, 0.58], "b": [0.70, 0.81, 0.62], "c": [0.41, 0.45, 0.50, 0.66]}


def test_welch_of_one_factor_against_statsmodels():
    found = robust_tests(several(GROUPS), "group", permutations=99).tests["group"]
    expected = anova_oneway(list(GROUPS.values()), use_var="unequal", welch_correction=True)
    assert (found.welch, found.welch_p) == pytest.approx((expected.statistic, expected.pvalue))


def test_welch_takes_the_other_factors_out_by_its_formula():
    """Balanced and with effects: values less the others' effects by plain means, residuals stretched for their df."""
    frame, runs = grid(seed=3)
    model = smf.ols("y ~ C(architecture) + C(learning_rate) + C(batch_size)", frame).fit()
    own = frame.groupby("architecture").y.transform("mean") - frame.y.mean()
    values = own + model.resid * np.sqrt((36 - 3) / model.df_resid)
    expected = anova_oneway(values, frame.architecture, use_var="unequal")
    found = robust_tests(runs, FACTORS, permutations=99).tests["architecture"]
    assert (found.welch, found.welch_p) == pytest.approx((expected.statistic, expected.pvalue))


def test_permutations_of_one_factor_are_all_and_as_scipy_has_them():
    values = {"a": [0.1, 0.5, 0.3], "b": [0.6, 0.4, 0.9], "c": [0.2, 0.7]}
    found = robust_tests(several(values), "group").tests["group"]
    f = lambda *groups: stats.f_oneway(*groups).statistic  # noqa: E731
    exact = stats.permutation_test(list(values.values()), f, **ALL)
    assert (found.exact, found.permutations, found.permutation_error) == (True, 560, 0.0)
    assert found.permutation_p == pytest.approx(exact.pvalue)


def test_permutations_within_blocks_as_scipy_has_them():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=8), rng.normal(size=8) + 0.7
    runs = [run(y, side=side, day=day) for side, ys in (("one", one), ("other", other)) for day, y in enumerate(ys)]
    exact = stats.permutation_test((one, other), lambda x, y: abs(np.mean(x - y)), permutation_type="samples", **ALL)
    found = robust_tests(runs, "side", blocks="day").tests["side"]
    assert (found.exact, found.permutations) == (True, 256)
    assert found.permutation_p == pytest.approx(exact.pvalue)


def test_drawn_permutations_come_near_all_of_them():
    rng = np.random.default_rng(2)
    runs = several({"a": rng.normal(size=6), "b": rng.normal(size=6) + 0.9})
    all_of_them = robust_tests(runs, "group").tests["group"]
    some = robust_tests(runs, "group", permutations=899, seed=4).tests["group"]
    assert (all_of_them.exact, some.exact, some.permutations) == (True, False, 899)
    assert some.permutation_error == pytest.approx(np.sqrt(some.permutation_p * (1 - some.permutation_p) / 899))
    assert some.permutation_p == pytest.approx(all_of_them.permutation_p, abs=4 * some.permutation_error)
    again = robust_tests(runs, "group", permutations=899, seed=4).tests["group"]
    assert again == some


@pytest.mark.parametrize("lost", [0, 9])
def test_freedman_and_lane_of_an_interaction_by_brute_force(lost):
    frame, runs = grid(seed=5, lost=lost)
    name = "learning_rate × batch_size"
    found = robust_tests(runs, ["learning_rate", "batch_size"], order=2, permutations=999).tests[name]
    reduced = smf.ols("y ~ C(learning_rate) + C(batch_size)", frame)
    whole = smf.ols("y ~ C(learning_rate) * C(batch_size)", frame)
    rng, larger, left = np.random.default_rng(0), 0, reduced.fit()

    def f(y):
        without, with_it = (type(m)(y, m.exog).fit() for m in (reduced, whole))
        return with_it.compare_f_test(without)[0]

    first = f(frame.y.to_numpy())
    assert first == pytest.approx(found.f)
    for _ in range(300):
        larger += f(left.fittedvalues.to_numpy() + rng.permutation(left.resid.to_numpy())) >= first
    assert found.permutation_p == pytest.approx(larger / 300, abs=4 * np.sqrt(0.25 / 300))
    assert "Freedman–Lane" in found.way
    assert np.isnan(found.welch_p)
    assert found.welch_reason == "not for interactions"


def test_every_test_of_a_design_stands_beside_f():
    _, runs = grid(seed=7)
    found = robust_tests(runs, FACTORS, permutations=199)
    effects = anova(runs, FACTORS).effects
    assert {name: (test.f, test.p) for name, test in found.tests.items()} == {
        name: (effect.f, effect.p) for name, effect in effects.items()
    }
    assert all(test.way == "within the cells of the other factors and blocks" for test in found.tests.values())
    assert found.tests["architecture"].permutation_p == 1 / 200
    assert "permutations: p = 0.005 (± 0.005, 199 drawn" in str(found)


def test_too_few_ways_within_cells_are_permuted_across_them():
    rng = np.random.default_rng(0)
    runs = [run(rng.normal(), a=a, b=b, c=c) for a in (0, 1) for b in (0, 1, 2) for c in (0, 1)]
    found = robust_tests(runs, ["a", "b"], permutations=99)
    assert "Freedman–Lane" not in found.tests["b"].way
    assert "Freedman–Lane" in robust_tests(runs, ["a", "b", "c"], permutations=99).tests["a"].way


@settings(deadline=None, max_examples=8)
@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_no_p_depends_on_unit_and_origin(unit, origin):
    first = robust_tests(several(GROUPS), "group", permutations=99).tests["group"]
    moved = {level: [unit * value + origin for value in of] for level, of in GROUPS.items()}
    other = robust_tests(several(moved), "group", permutations=99).tests["group"]
    assert (other.p, other.welch_p) == pytest.approx((first.p, first.welch_p), rel=1e-5)
    assert other.permutation_p == first.permutation_p


def test_robust_tests_say_what_they_cannot_test():
    runs = [run(value, a=a, b="same") for a, value in ((0, 0.1), (0, 0.2), (1, 0.4))]
    found = robust_tests(runs, ["a", "b"], permutations=99)
    assert found.tests["b"].reason == "it has the same value in every run"
    assert found.tests["a"].welch_reason == "not defined: a level has one run only"
    flat = robust_tests(several({"a": [0.5, 0.5, 0.5], "b": [0.1, 0.2, 0.4]}), "group", permutations=99).tests["group"]
    assert flat.welch_reason == "not defined: the runs of a level do not differ at all"
    assert 0 < flat.permutation_p < 1
    assert robust_tests([], "a").tests["a"].reason == "there are no runs to analyse"
    values = [0.1, 0.2, 0.5, 0.15, 0.3, 0.45, 0.1, 0.2]
    confounded = [run(v, a=i % 3, b=int(i % 3 == 2)) for i, v in enumerate(values)]
    assert "partly together" in robust_tests(confounded, ["a", "b"], permutations=99).tests["a"].welch_reason
    with pytest.raises(ValueError, match=r"`permutations` must be a whole number, 99 or more.*=9"):
        robust_tests(runs, "a", permutations=9)
