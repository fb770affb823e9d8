"""Objects against brute force over all pairs, worked examples, and the theorem that makes matches above 0.5 unique."""

import functools
import itertools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetdyn.evaluation import object_counts
from unetdyn.evaluation.object_matching import matches, overlaps

maps = st.tuples(*(arrays("int64", (4, 6), elements=st.sampled_from([0, 0, 1, 2, 7])) for _ in range(2)))


def ious(p, y):
    """{(true, predicted): IoU} of all pairs, pixel by pixel."""
    return {
        (i, j): np.sum((y == i) & (p == j)) / np.sum((y == i) | (p == j))
        for i in np.unique(y[y > 0])
        for j in np.unique(p[p > 0])
    }


def most_pairs(iou, threshold):
    """The largest number of pairs above the threshold without an object in two, then the largest sum: by trying all."""
    pairs = [pair for pair, value in iou.items() if value > threshold]
    best = (0, 0.0)
    for size in range(1, len(pairs) + 1):
        for chosen in itertools.combinations(pairs, size):
            if len({i for i, _ in chosen}) == len({j for _, j in chosen}) == size:
                best = max(best, (size, sum(iou[pair] for pair in chosen)))
    return best


@settings(deadline=None, max_examples=40)
@given(maps, st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.75]))
def test_matches_equal_brute_force(data, threshold):
    p, y = data
    found = overlaps(p, y)
    chosen = matches(found, threshold)
    size, total = most_pairs(ious(p, y), threshold)
    assert len(chosen) == size == object_counts(p, y, thresholds=[threshold]).matched[0]
    assert found.iou[chosen].sum() == pytest.approx(total)


@settings(deadline=None, max_examples=30)
@given(maps)
def test_counts_equal_brute_force_and_scores_obey_their_laws(data):
    p, y = data
    found, iou = object_counts(p, y), ious(p, y)
    half = {pair: value for pair, value in iou.items() if value > 0.5}
    assert found.true == len(np.unique(y[y > 0]))
    assert found.predicted == len(np.unique(p[p > 0]))
    assert found.matched_at_half == len(half)
    assert found.iou_sum == pytest.approx(sum(half.values()))
    areas = [(np.sum(p == j) - np.sum(y == i)) / np.sum(y == i) for i, j in half]
    assert found.area_bias_sum == pytest.approx(sum(areas))
    assert found.area_error_sum == pytest.approx(sum(map(abs, areas)))
    close = [pair for pair, value in iou.items() if value > 0.1]
    assert found.splits == sum([i for i, _ in close].count(k) > 1 for k in np.unique(y))
    assert found.merges == sum([j for _, j in close].count(k) > 1 for k in np.unique(p))
    scores = found.scores()
    assert 0 <= scores.pq <= scores.rq <= 1
    assert scores.rq == scores.f1[0]
    if half:
        assert scores.pq == pytest.approx(scores.sq * scores.rq)
    # The names of the objects say nothing, and the two sides turned round exchange splits and merges.
    assert object_counts(p * 1000, y) == found
    other = object_counts(y, p)
    assert (other.splits, other.merges, other.matched) == (found.merges, found.splits, found.matched)
    assert other.iou_sum == pytest.approx(found.iou_sum)


def test_a_perfect_map_scores_one_whatever_its_numbers():
    y = np.array([[1, 1, 0, 5], [1, 1, 0, 5]])
    scores = object_counts(np.where(y == 5, 3, y * 9), y).scores()
    assert (scores.pq, scores.sq, scores.f1, scores.area_error) == (1, 1, (1, 1), 0)


def test_panoptic_quality_of_a_worked_example():
    """Two of three found with IoU 0.8 and 0.6, one invented: PQ = 1.4 / (2 + ½ + ½), SQ = 0.7, RQ = ⅔."""
    y, p = np.zeros((2, 4, 10), dtype=int)
    y[0], y[1], y[2, :5] = 1, 2, 3
    p[0, :8], p[1, :6], p[3] = 4, 5, 6
    scores = object_counts(p, y).scores()
    assert (scores.pq, scores.sq, scores.rq) == pytest.approx((1.4 / 3, 0.7, 2 / 3))
    assert scores.f1 == pytest.approx((2 / 3, 1 / 3))
    assert (scores.area_bias, scores.area_error) == pytest.approx((-0.3, 0.3))


def test_an_iou_of_one_half_is_no_match():
    assert object_counts([[1, 1]], [[1, 0]]).matched == (0, 0)


def test_one_object_in_two_parts_is_a_split_and_two_in_one_a_merge():
    two, one = np.zeros((2, 3, 9), dtype=int)
    two[:, :4], two[:, 5:], one[:] = 1, 2, 1
    assert (object_counts(two, one).splits, object_counts(two, one).merges) == (1, 0)
    assert (object_counts(one, two).splits, object_counts(one, two).merges) == (0, 1)
    assert object_counts(two, one, overlap=0.5).splits == 0


@pytest.mark.parametrize(("connectivity", "objects"), [("full", 1), ("face", 3)])
def test_what_hangs_together_is_an_object(connectivity, objects):
    found = object_counts(np.eye(3, dtype=bool), np.eye(3), connectivity=connectivity)
    assert (found.true, found.predicted, found.matched) == (objects, objects, (objects, objects))
    cube = np.zeros((2, 2, 2), dtype=bool)
    cube[0, 0, 0] = cube[1, 1, 1] = True
    assert object_counts(cube, cube, connectivity=connectivity).true == (1 if connectivity == "full" else 2)


def test_counts_of_several_images_add_up():
    rng = np.random.default_rng(0)
    p, y = rng.integers(0, 4, (2, 3, 5, 5))
    total = functools.reduce(operator.add, [object_counts(a, b) for a, b in zip(p, y, strict=True)])
    beside = np.arange(3)[:, None, None] * 10  # the same objects in one image, each under a name of its own
    whole = object_counts(np.where(p, p + beside, 0), np.where(y, y + beside, 0))
    assert (total.true, total.predicted, total.matched) == (whole.true, whole.predicted, whole.matched)
    assert (total.splits, total.merges) == (whole.splits, whole.merges)
    assert total.iou_sum == pytest.approx(whole.iou_sum)
    with pytest.raises(
        ValueError, match=r"Counts at the same thresholds add up\. Received: thresholds=\[0\.5, 0\.75\] and"
    ):
        _ = total + object_counts(p[0], y[0], thresholds=[0.3])


def test_without_objects_the_score_is_what_was_asked_for():
    nothing, something = np.zeros((2, 3, 3), dtype=int)
    something[0, 0] = 1
    assert object_counts(nothing, nothing).scores().pq == 1
    assert np.isnan(object_counts(nothing, nothing).scores("skip").f1).all()
    for pair in [(nothing, something), (something, nothing)]:
        scores = object_counts(*pair).scores("skip")
        assert (scores.pq, scores.f1) == (0, (0, 0))
        assert "not defined: no match" in str(scores)


def test_pixels_without_a_label_are_background_in_both():
    y, p = np.array([[1, 1, 0, 255, 255]]), np.array([[1, 1, 0, 2, 2]])
    assert object_counts(p, y, ignore_label=255).scores().pq == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"thresholds": [1.0]}, r"`thresholds` must lie between 0 and 1, without 1\. Received: thresholds=1\.0"),
        ({"overlap": -0.1}, r"`overlap` must lie between 0 and 1"),
        ({"connectivity": 8}, r"`connectivity` must be one of 'full', 'face', None\. Received: connectivity=8"),
        ({}, r"must be maps of labels.*Received: booleans, which would be one object\. Pass connectivity=\"full\""),
    ],
)
def test_arguments_out_of_range_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        object_counts(np.eye(3, dtype=bool), np.eye(3, dtype=int), **options)


def test_fractions_are_no_labels():
    with pytest.raises(ValueError, match=r"`prediction` must hold whole numbers, 0 or more\. Received: 0\.5"):
        object_counts([[0.5]], [[1]])
