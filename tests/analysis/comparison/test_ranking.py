import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unetdyn.analysis import (
    best_within,
    combined_score,
    improvement_factor,
    min_max_score,
    pareto_front,
    summarise,
)


def run(performance, sigma, name):
    """A run with this peak and this σ: a loss of two values has |difference| / √2."""
    return summarise({"val_jaccard": [performance] * 2, "val_loss": [1.0, 1.0 + sigma * np.sqrt(2)]}, name, window=2)


def some(count, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 5, (count, 2)) / 5 if ties else rng.uniform(0.01, 1, (count, 2))
    return [run(performance, sigma, f"r{i}") for i, (performance, sigma) in enumerate(values)]


def beats(one, two):
    return (
        one.performance >= two.performance
        and one.stability <= two.stability
        and (one.performance > two.performance or one.stability < two.stability)
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_pareto_front_against_brute_force(seed, ties):
    runs = some(40, seed, ties)
    found = pareto_front(runs)
    expected = {one.name for one in runs if not any(beats(two, one) for two in runs)}
    assert {one.name for one in found.front} == expected
    by_name = {one.name: one for one in runs}
    assert set(found.dominated) == set(by_name) - expected
    assert all(beats(by_name[by], by_name[name]) and by in expected for name, by in found.dominated.items())
    performances = [one.performance for one in found.front]
    assert performances == sorted(performances, reverse=True)


def test_pareto_front_keeps_equal_runs_and_leaves_out_what_has_no_number():
    found = pareto_front([run(0.5, 0.25, "a"), run(0.5, 0.25, "b"), run(float("nan"), 0.1, "c")])
    assert [one.name for one in found.front] == ["a", "b"]
    assert found.excluded == {"c": "val_jaccard was never a number"}
    assert "left out  c: val_jaccard was never a number" in str(found)


def test_combined_score_against_its_formula():
    runs = some(10)
    found = combined_score(runs, w=(0.6, 0.4))
    j, s = np.array([one.performance for one in runs]), np.array([one.stability for one in runs])
    expected = 0.6 * (j - j.min()) / (j.max() - j.min()) + 0.4 * (1 - (s - s.min()) / (s.max() - s.min()))
    assert found.scores == pytest.approx({one.name: score for one, score in zip(runs, expected, strict=True)})
    assert list(found.scores) == [runs[i].name for i in np.argsort(-expected)] == [one.name for one in found.runs]


def test_combined_score_of_the_studies_own_table():
    table = {"residual": (0.929, 1.348), "attention": (0.923, 0.044), "unet": (0.927, 0.037)}
    found = combined_score([run(j, sigma, name) for name, (j, sigma) in table.items()])
    assert list(found.scores) == ["unet", "residual", "attention"]
    expected = {"unet": 0.7667, "residual": 0.7000, "attention": 0.2984}
    assert found.scores == pytest.approx(expected, abs=5e-5)
    assert min_max_score(*zip(*table.values(), strict=True)) == pytest.approx([0.7000, 0.2984, 0.7667], abs=5e-5)


def test_in_what_is_equal_no_run_is_behind():
    assert combined_score([run(0.5, 0.0, "a"), run(0.25, 0.0, "b")]).scores == pytest.approx({"a": 1.0, "b": 0.3})
    assert combined_score([run(0.5, 0.1, "a"), run(0.5, 0.2, "b")]).scores == pytest.approx({"a": 1.0, "b": 0.7})
    assert combined_score([run(0.5, 0.1, "a")]).scores == pytest.approx({"a": 1.0})
    assert combined_score([run(0.0, 0.1, "a")], w=(3, 1)).scores == pytest.approx({"a": 4.0})
    assert combined_score([]).scores == {}


def test_run_without_a_number_has_no_part_in_the_ranges():
    two = [run(0.5, 0.1, "a"), run(0.6, 0.2, "b")]
    found = combined_score([*two, run(float("nan"), 9.0, "c")])
    assert found.scores == combined_score(two).scores
    assert found.excluded == {"c": "val_jaccard was never a number"}


pairs = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)), min_size=1, max_size=8)


@settings(deadline=None)
@given(pairs, st.floats(0, 1), st.randoms(use_true_random=False))
def test_scores_lie_from_0_to_1_and_do_not_depend_on_the_order(numbers, w, random):
    weights = (w, 1 - w)
    scores = min_max_score(*zip(*numbers, strict=True), weights)
    assert ((scores >= 0) & (scores <= 1 + 1e-15)).all()
    order = list(range(len(numbers)))
    random.shuffle(order)
    shuffled = min_max_score(*zip(*[numbers[i] for i in order], strict=True), weights)
    np.testing.assert_array_equal(shuffled, scores[order])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 50)), min_size=2, max_size=8))
def test_scores_do_not_depend_on_unit_and_origin(numbers):
    j, sigma = np.array(numbers, dtype=float).T
    np.testing.assert_allclose(min_max_score(4 * j - 3, 8 * sigma + 1), min_max_score(j, sigma), atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 50)), min_size=2, max_size=8))
def test_run_that_no_other_beats_is_first(numbers):
    j, sigma = np.array(numbers, dtype=float).T
    best = np.argmax(min_max_score(j, sigma))
    assert not ((j >= j[best]) & (sigma <= sigma[best]) & ((j > j[best]) | (sigma < sigma[best]))).any()


def test_combined_score_depends_on_the_set_as_its_documentation_warns():
    two = [run(0.5, 0.1, "a"), run(0.6, 0.2, "b")]
    alone, with_a_wild_one = combined_score(two), combined_score([*two, run(0.1, 100.0, "wild")])
    assert alone.scores == pytest.approx({"b": 0.7, "a": 0.3})  # of two that pull apart, always so
    assert list(with_a_wild_one.scores) == ["b", "a", "wild"]
    assert with_a_wild_one.scores["a"] == pytest.approx(0.7 * 0.4 / 0.5 + 0.3, abs=1e-3)
    three = [run(0.50, 0.1, "a"), run(0.60, 0.3, "b"), run(0.59, 0.2, "c")]
    with_a_poor_one = combined_score([*three, run(0.1, 0.3, "poor")])
    assert next(iter(combined_score(three).scores)) == "c"
    assert next(iter(with_a_poor_one.scores)) == "a"


@pytest.mark.parametrize("w", [(1.0,), (0.5, -0.5), (0.0, 0.0), (float("nan"), 1.0), (1, 2, 3)])
def test_combined_score_refuses_other_weights(w):
    with pytest.raises(ValueError, match=r"`w` must be two weights.*Received: w="):
        combined_score([], w=w)


def test_min_max_score_refuses_what_has_no_score():
    with pytest.raises(ValueError, match=r"both of shape \(runs,\)\. Received: shapes \(2,\) and \(1,\)\."):
        min_max_score([0.5, 0.6], [0.1])
    with pytest.raises(
        ValueError, match=r"must be finite: leave out .*Received: performances=\[nan\], sigmas=\[0\.1\]"
    ):
        min_max_score([float("nan")], [0.1])


@pytest.mark.parametrize("bound", [0.01, 0.3, 0.7, 2.0])
def test_best_within_against_brute_force(bound):
    runs = some(30)
    found = best_within(runs, bound)
    within = [one for one in runs if one.stability < bound]
    expected = max(within, key=lambda one: one.performance) if within else None
    assert found.best == expected
    assert set(found.excluded) == {one.name for one in runs} - {one.name for one in within}
    assert set(found.within) == {one.name for one in within}


def test_best_within_says_what_it_left_out_and_when_nothing_is_left():
    a = run(0.5, 0.25, "a")
    found = best_within([a], a.stability)  # the bound itself is not below it
    assert found.best is None
    assert "none" in str(found)
    assert found.excluded == {"a": "σ 0.25 is not below 0.25"}
    with pytest.raises(ValueError, match=r"`max_sigma` must be .* Received: max_sigma=0"):
        best_within([], 0)


def test_rankings_say_when_metrics_differ():
    other = summarise({"dice": [0.9], "val_loss": [1.0, 1.1]}, "other", window=2)
    for found in (combined_score([run(0.5, 0.1, "a"), other]), pareto_front([run(0.5, 0.1, "a"), other])):
        assert "the performance is not of one thing: val_jaccard in some runs, dice in others" in str(found)


def test_improvement_factor_of_two_numbers():
    found = improvement_factor(0.75, 0.25)
    assert found.factor == pytest.approx(3.0)
    assert np.isnan(found.low)
    assert "one run can't tell what another seed would do" in str(found)


def test_improvement_factor_against_a_t_test_of_logarithms():
    rng = np.random.default_rng(0)
    new, old = rng.uniform(0.5, 0.7, 5), rng.uniform(0.2, 0.4, 3)
    found = improvement_factor(new, old)
    assert found.factor == pytest.approx(stats.gmean(new) / stats.gmean(old))
    for end in (found.low, found.high):
        p = stats.ttest_ind(np.log(new), np.log(old) + np.log(end), equal_var=False).pvalue
        assert p == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("new", "old"), [(0.5, 0.0), (-0.1, 0.5), (float("nan"), 0.5), (0.5, float("inf"))])
def test_improvement_factor_is_not_defined_for_what_has_no_ratio(new, old):
    found = improvement_factor(new, old)
    assert np.isnan(found.factor)
    assert "a ratio needs values above 0 on both sides" in str(found)


def test_improvement_factor_of_repeated_equal_values_and_of_none():
    assert improvement_factor([0.5, 0.5], [0.25, 0.25]).reason == "the repeated values are all the same"
    with pytest.raises(ValueError, match=r"`new` must hold at least one number. Received: new=\[\]"):
        improvement_factor([], [0.5])
