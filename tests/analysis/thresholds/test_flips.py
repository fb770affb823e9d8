"""Flips at the threshold: the split of the Jaccard's change against all orders of the flips, the rest by loops."""

import itertools

import numpy as np
import pytest

from unetdyn.analysis.thresholds.flips import (
    boundary_of,
    chronic_share,
    explained_change,
    jaccard_of,
    soft_jaccard_of,
)


def jaccard_by_sets(target, predicted):
    true, found = ({tuple(place) for place in np.argwhere(mask)} for mask in (target, predicted))
    return len(true & found) / len(true | found) if true | found else 1.0


def by_orders(target, before, after, part):
    """The mean, over both orders of the two groups of flips, of what each group adds when its turn comes."""
    groups = {"part": np.argwhere(part & (before != after)), "others": np.argwhere(~part & (before != after))}
    added = dict.fromkeys(groups, 0.0)
    for order in itertools.permutations(groups):
        now = before.copy()
        for name in order:
            start = jaccard_by_sets(target, now)
            for place in groups[name]:
                now[tuple(place)] ^= True
            added[name] += (jaccard_by_sets(target, now) - start) / 2
    return added["part"], added["others"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["on", "boundary"])
def test_split_is_that_of_all_orders_and_adds_up_to_the_change(seed, kind):
    rng = np.random.default_rng(seed)
    target, before, after = rng.random((3, 2, 5, 6)) < np.array([0.3, 0.4, 0.35]).reshape(3, 1, 1, 1)
    part = after if kind == "on" else boundary_of(target)
    found = explained_change(target, before, after, part)
    assert found == pytest.approx(by_orders(target, before, after, part), abs=1e-12)
    change = jaccard_by_sets(target, after) - jaccard_by_sets(target, before)
    assert sum(found) == pytest.approx(change, abs=1e-14)
    assert jaccard_of(target, after) == pytest.approx(jaccard_by_sets(target, after))


def test_empty_masks_and_predictions_count_as_one():
    nothing, one = np.zeros((1, 1, 3), bool), np.array([[[True, False, False]]])
    assert jaccard_of(nothing, nothing) == soft_jaccard_of(nothing, np.zeros((1, 1, 3))) == 1.0
    assert explained_change(nothing, nothing, one, one) == (-1.0, 0.0)


def test_soft_jaccard_is_the_ratio_of_sums():
    target, p = np.array([[True, False, True]]), np.array([[0.8, 0.3, 0.4]], dtype=np.float32)
    assert soft_jaccard_of(target, p) == pytest.approx(1.2 / (2 + 1.5 - 1.2))


def test_boundary_is_what_has_both_kinds_within_one_pixel():
    target = np.random.default_rng(0).random((3, 7, 6)) < 0.4
    expected = np.zeros_like(target)
    for image, row, column in np.ndindex(target.shape):
        near = target[image, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        expected[image, row, column] = near.any() and not near.all()
    np.testing.assert_array_equal(boundary_of(target), expected)


def test_chronic_flippers_are_those_of_more_than_half_of_the_changes():
    flips = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]], dtype=bool)
    assert chronic_share(flips) == pytest.approx(1 / 3)
    assert np.isnan(chronic_share(flips[:3]))
