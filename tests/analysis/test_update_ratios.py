"""Ratios from sums of squares, against the weights themselves."""

import numpy as np

from unetdyn.analysis.update_ratios import angular_update, effective_learning_rate, norm, norms, update_ratio

APPLIED = np.array([True, True, False])


def squares(arrays):
    return np.array([[np.sum(a**2) for a in row] for row in arrays])


def test_ratio_is_that_of_the_joined_vectors():
    rng = np.random.default_rng(0)
    weights = [[rng.normal(size=(3, 2)), rng.normal(size=5)] for _ in range(3)]
    updates = [[0.01 * rng.normal(size=(3, 2)), 0.1 * rng.normal(size=5)] for _ in range(3)]
    (ratio,) = update_ratio(squares(updates), squares(weights), APPLIED, [[0, 1]])
    for step in range(2):
        joined = [np.concatenate([part.ravel() for part in parts[step]]) for parts in (updates, weights)]
        np.testing.assert_allclose(ratio[step], np.linalg.norm(joined[0]) / np.linalg.norm(joined[1]))
        np.testing.assert_allclose(norm(squares(updates))[step], np.linalg.norm(joined[0]))
    assert np.isnan(ratio[2])


def test_ratio_is_not_defined_for_zero_weights_and_what_is_not_finite():
    updates = np.array([[1.0], [np.nan], [1.0], [np.inf]])
    weights = np.array([[0.0], [1.0], [np.inf], [1.0]])
    assert np.isnan(update_ratio(updates, weights, np.ones(4, bool), [[0]])).all()
    assert np.isnan(angular_update(updates, weights, np.ones(4, bool), [[0]])).all()
    (rates,) = effective_learning_rate(np.ones(4), weights, np.ones(4, bool), [[0]])
    np.testing.assert_array_equal(rates, [np.nan, 1, np.nan, 1])


def test_angle_is_that_between_the_weights_before_and_after_an_orthogonal_update():
    rng = np.random.default_rng(1)
    before, step = rng.normal(size=20), rng.normal(size=20)
    step -= before * (step @ before) / (before @ before)
    after = before + step
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    found = angular_update(np.array([[step @ step]]), np.array([[before @ before]]), np.array([True]), [[0]])[0]
    np.testing.assert_allclose(found, np.arccos(cosine))


def test_angles_of_several_kernels_are_a_root_mean_square():
    found = angular_update(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]]), np.array([True]), [[0, 1]])[0]
    np.testing.assert_allclose(found, np.sqrt(((np.pi / 4) ** 2 + (np.pi / 3) ** 2) / 2))


def test_effective_rate_falls_with_the_square_of_the_norm():
    (rates,) = effective_learning_rate(np.array([0.1, 0.1, 0.1]), np.array([[1.0, 4.0]] * 3), APPLIED, [[0, 1]])
    np.testing.assert_allclose(rates, [0.1 * (1 + 0.25) / 2, 0.0625, np.nan])


def test_each_group_is_as_if_it_were_alone():
    rng = np.random.default_rng(2)
    updates, weights = rng.random((3, 6)), rng.random((3, 6))
    groups, rate = [[4, 0], [1], [5, 3, 2]], np.array([0.1, 0.2, 0.3])
    for place, columns in enumerate(groups):
        alone = updates[:, columns], weights[:, columns]
        taken = update_ratio(updates, weights, APPLIED, groups)[place]
        np.testing.assert_allclose(taken, np.where(APPLIED, norm(alone[0]) / norm(alone[1]), np.nan))
        np.testing.assert_allclose(norms(weights, groups)[place], norm(alone[1]))
        angles = np.arctan(np.sqrt(alone[0] / alone[1]))
        expected = np.where(APPLIED, np.sqrt((angles**2).mean(axis=1)), np.nan)
        np.testing.assert_allclose(angular_update(updates, weights, APPLIED, groups)[place], expected)
        expected = np.where(APPLIED, (rate[:, None] / alone[1]).mean(axis=1), np.nan)
        np.testing.assert_allclose(effective_learning_rate(rate, weights, APPLIED, groups)[place], expected)


def test_what_is_not_finite_stays_in_its_group():
    squares_of = np.array([[1.0, np.nan, 4.0, np.inf]])
    np.testing.assert_array_equal(norms(squares_of, [[0], [1], [2], [3]])[:, 0], [1, np.nan, 2, np.inf])
    assert update_ratio(squares_of, squares_of, np.array([True]), []).shape == (0, 1)
