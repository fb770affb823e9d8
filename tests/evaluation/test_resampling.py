"""Intervals: coverage of a planted truth, closed forms, and what happens where there is little to resample."""

import math

import numpy as np
import pytest
from scipy import stats

from unetdyn.evaluation import PixelCounts, bootstrap_over_sections


def planted(rng, sections, pixels=400):
    """Counts whose sections differ: the truth of their pooled Jaccard is that of the expectations."""
    found = rng.beta(8, 2, sections)  # the share of each section's objects that is found, 0.8 on average
    tp = rng.binomial(pixels, found)
    fp = rng.binomial(pixels, 0.1, sections)
    return [PixelCounts(int(a), int(b), int(pixels - a), 10 * pixels) for a, b in zip(tp, fp, strict=True)]


def test_intervals_of_a_pooled_jaccard_cover_the_planted_truth():
    """0.8 of P found, and 0.1 of P invented: J = 0.8 / 1.1. 200 trials of 95 % fail 4 to 18 times (99.9 %)."""
    rng = np.random.default_rng(0)
    truth, missed = 0.8 / 1.1, 0
    for trial in range(200):
        found = bootstrap_over_sections(planted(rng, 30), "jaccard", resamples=500, seed=trial)
        missed += not found.low <= truth <= found.high
    low, high = stats.binom(200, 0.06).interval(0.999)
    assert low <= missed <= high


def test_pixels_would_have_given_less_than_a_quarter_of_the_width():
    """What the sections differ by is not seen by who resamples pixels: their standard error is sqrt(J(1 − J) / N)."""
    counts = planted(np.random.default_rng(1), 40)
    found = bootstrap_over_sections(counts, "recall")
    total = sum(counts, PixelCounts())
    share = total.scores().recall
    assert found.value == share
    naive = 2 * 1.96 * math.sqrt(share * (1 - share) / (total.tp + total.fn))
    assert found.high - found.low > 4 * naive


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    scores = np.random.default_rng(2).normal(0.7, 0.1, 400)
    found = bootstrap_over_sections(scores)
    expected = stats.t.interval(0.95, 399, scores.mean(), stats.sem(scores))
    assert found.value == scores.mean()
    assert (found.low, found.high) == pytest.approx(expected, abs=0.001)
    assert (found.n, found.left_out, found.method, found.of) == (400, 0, "BCa", "the mean over sections")


def test_it_is_scipys_and_depends_on_the_seed_alone():
    scores = np.random.default_rng(3).random(25)
    found = bootstrap_over_sections(scores, "median", confidence=0.9, resamples=700, seed=5)
    expected = stats.bootstrap(
        (scores,), np.median, confidence_level=0.9, n_resamples=700, random_state=np.random.default_rng(5)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert bootstrap_over_sections(scores, "median", confidence=0.9, resamples=700, seed=5) == found


def test_columns_are_summed_by_a_function_of_ones_own():
    rng = np.random.default_rng(4)
    rows = rng.uniform(1, 2, (20, 2))

    def quotient(a, b, *, axis):
        return a.sum(axis=axis) / b.sum(axis=axis)

    found = bootstrap_over_sections(rows, quotient, of="a quotient of sums")
    assert found.value == pytest.approx(rows[:, 0].sum() / rows[:, 1].sum())
    assert found.low < found.value < found.high
    assert found.of == "a quotient of sums"


def test_sections_without_a_value_are_left_out_and_counted():
    scores = [0.5, math.nan, 0.7, 0.9, math.nan]
    found = bootstrap_over_sections(scores)
    assert (found.value, found.n, found.left_out) == (pytest.approx(0.7), 3, 2)
    assert "2 without a value left out" in str(found)
    assert "too narrow, as from 3 sections only" in str(found)


def test_equal_sections_have_an_interval_without_width():
    found = bootstrap_over_sections([0.75] * 12)
    assert (found.low, found.high, found.method) == (0.75, 0.75, "percentile")


def test_infinite_distances_stay_infinite():
    found = bootstrap_over_sections([3.0] * 30 + [math.inf], resamples=1000)
    assert (found.value, found.low, found.high, found.method) == (math.inf, 3.0, math.inf, "percentile")
    half = bootstrap_over_sections([3.0] * 5 + [math.inf] * 5, resamples=1000)
    assert (half.low, half.high) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("scores", "value", "n", "reason"),
    [([0.4], 0.4, 1, "one section, whose pixels"), ([math.nan] * 3, math.nan, 0, "no section has a value")],
)
def test_one_section_or_none_has_no_interval(scores, value, n, reason):
    found = bootstrap_over_sections(scores)
    assert (found.value, found.n) == (pytest.approx(value, nan_ok=True), n)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.reason.startswith(reason)
    assert not found.determined
    assert found.method == "none"


def test_a_figure_that_no_resample_has_is_said_to_have_no_interval():
    empty = [PixelCounts(tn=9)] * 4
    found = bootstrap_over_sections(empty, "jaccard", empty="skip")
    assert math.isnan(found.value)
    assert found.reason == "the figure is not defined in any resample"
    assert bootstrap_over_sections(empty, "jaccard").value == 1


@pytest.mark.parametrize(
    ("data", "statistic", "options", "text"),
    [
        ([], "mean", {}, r"`per_section` must hold a score a section.*Received: shape \(0,\)"),
        (np.zeros((2, 2, 2)), "mean", {}, r"`per_section` must hold .*Received: shape \(2, 2, 2\)"),
        ([0.1, 0.2], "jaccard", {}, r"`statistic` must be one of 'mean', 'median'\. Received: statistic='jaccard'"),
        ([PixelCounts(1)], "jacard", {}, r"`statistic` must be one of 'jaccard'.*Did you mean 'jaccard'\?"),
        ([0.1, 0.2], lambda x: x.mean(), {}, r"`statistic` must take an array for each column and `axis`.*of x\."),
        ([0.1, 0.2], "mean", {"confidence": 95}, r"`confidence` must lie between 0 and 1.*confidence=95"),
        ([0.1, 0.2], "mean", {"resamples": 10}, r"`resamples` must be a whole number of resamples, 100 or more"),
    ],
)
def test_what_can_not_be_resampled_is_refused(data, statistic, options, text):
    with pytest.raises(ValueError, match=text):
        bootstrap_over_sections(data, statistic, **options)
