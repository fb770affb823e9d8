"""Counts and scores against scikit-learn, and what is said of empty masks and pixels without a label."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from unetdyn.evaluation import PixelCounts, pixel_counts

masks = st.integers(1, 40).flatmap(lambda size: st.tuples(arrays(bool, size), arrays(bool, size)))


@settings(deadline=None, max_examples=15)
@given(masks, st.sampled_from([0.0, 1.0]))
def test_counts_and_scores_are_those_of_scikit_learn(data, empty):
    p, y = data
    counts = pixel_counts(p, y.astype("uint8"))
    tn, fp, fn, tp = metrics.confusion_matrix(y, p, labels=[False, True]).ravel()
    assert counts == PixelCounts(tp, fp, fn, tn)
    scores = counts.scores(empty)
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(y, p))
    zero = empty if not (p | y).any() else 0.0  # a quotient of 0/0 where there is an object on one side is 0
    assert scores.jaccard == pytest.approx(metrics.jaccard_score(y, p, zero_division=zero))
    assert scores.dice == pytest.approx(metrics.f1_score(y, p, zero_division=zero))
    assert scores.precision == pytest.approx(metrics.precision_score(y, p, zero_division=zero))
    assert scores.recall == pytest.approx(metrics.recall_score(y, p, zero_division=zero))
    zero = empty if (p & y).all() else 0.0
    assert scores.specificity == pytest.approx(metrics.recall_score(~y, ~p, zero_division=zero))


@settings(deadline=None, max_examples=30)
@given(masks)
def test_background_turns_object_and_background_round(data):
    p, y = data
    assert pixel_counts(p, y).background == pixel_counts(~p, ~y)


def test_counts_add_up():
    rng = np.random.default_rng(0)
    p, y = rng.random((2, 3, 8, 9)) < 0.4
    assert sum((pixel_counts(a, b) for a, b in zip(p, y, strict=True)), PixelCounts()) == pixel_counts(p, y)
    assert pixel_counts(p, y).pixels == 216


def test_an_object_that_was_missed_has_scores_of_zero_also_where_empty_ones_are_skipped():
    missed = pixel_counts([0, 0, 0], [1, 0, 0]).scores("skip")
    assert (missed.jaccard, missed.dice, missed.precision, missed.recall) == (0, 0, 0, 0)
    empty = pixel_counts([0, 0, 0], [0, 0, 0]).scores("skip")
    assert all(math.isnan(score) for score in (empty.jaccard, empty.dice, empty.precision, empty.recall))
    assert (empty.specificity, empty.accuracy) == (1, 1)


def test_no_pixel_has_the_score_that_was_asked_for():
    assert math.isnan(PixelCounts().scores("skip").accuracy)
    assert set(vars(PixelCounts().scores(0.0)).values()) == {0.0}


def test_pixels_without_a_label_are_not_counted():
    rng = np.random.default_rng(1)
    p, y = rng.random((2, 200)) < 0.5
    void = rng.random(200) < 0.3
    mask = np.where(void, 255, y).astype("uint8")
    assert pixel_counts(p, mask, ignore_label=255) == pixel_counts(p[~void], y[~void])
    holes = np.where(void, np.nan, y)
    assert pixel_counts(p, np.nan_to_num(holes, nan=-1), ignore_label=-1) == pixel_counts(p[~void], y[~void])


def test_each_class_of_a_map_is_counted_against_the_rest():
    rng = np.random.default_rng(2)
    p, y = rng.integers(0, 4, (2, 300))
    found = [pixel_counts(p, y, label=label).scores().jaccard for label in range(4)]
    np.testing.assert_allclose(found, metrics.jaccard_score(y, p, average=None))


def test_a_last_axis_of_one_may_be_left_out():
    p, y = np.random.default_rng(3).random((2, 4, 5)) < 0.5
    assert pixel_counts(p[..., None], y) == pixel_counts(p, y[..., None]) == pixel_counts(p, y)


@pytest.mark.parametrize(
    ("prediction", "mask", "options", "text"),
    [
        ([0, 255], [0, 1], {}, r"`prediction` must hold 0 and 1 only\. Received: 255\. Divide it by 255, or pass"),
        ([0, 1], [0.0, 0.7], {}, r"`mask` must hold 0 and 1 only\. Received: 0\.7, as probabilities .*`mask > 0\.5`"),
        ([0, 1], [0, np.nan], {}, r"`mask` must hold 0 and 1 only\. Received: NaN\. Mend it\."),
        ([0, 1, 1], [0, 2, 3], {}, r"`mask` .* Received: values up to 3\. If they number classes or objects"),
        ([-1, 1], [0, 1], {}, r"`prediction` .* Received: values down to -1\. Pass `prediction > 0`"),
        ([0, 1], [0, 1, 1], {}, r"must have the same shape.* Received: prediction of shape \(2,\), mask of shape \(3,"),
        ([], [], {}, r"must hold at least one pixel\. Received: shape \(0,\)"),
        (["a"], [1], {}, r"`prediction` must be an array of real numbers\. Received: dtype <U1"),
        ([0, 1], [0, 1], {"ignore_label": 1}, r"`ignore_label` must be the number that means no label.*=1"),
        ([0, 1], [0, 1], {"label": -1}, r"`label` must be a whole number.*0 or more, the number of a class.*label=-1"),
        ([0, 1.5], [0, 1], {"label": 1}, r"`prediction` must hold whole numbers, 0 or more\. Received: 1\.5"),
        ([0, 1], [0, -1], {"label": 1}, r"`mask` must hold whole numbers.*Received: -1\. If that means no label"),
    ],
)
def test_what_is_no_mask_is_refused_and_named(prediction, mask, options, text):
    with pytest.raises(ValueError, match=text):
        pixel_counts(prediction, mask, **options)


def test_an_unknown_value_of_empty_is_refused():
    with pytest.raises(ValueError, match=r"`empty` must be one of 1\.0, 0\.0, 'skip'\. Received: empty='skp'"):
        PixelCounts().scores("skp")
