"""Means of groups against NumPy's own splitting."""

import numpy as np
import pytest

from unetdyn.analysis.grouping import group_starts, grouped


@pytest.mark.parametrize(("n", "groups"), [(10, 10), (7, 10), (10, 5), (101, 20), (1000, 7)])
def test_groups_are_means_of_neighbours_of_nearly_equal_number(n, groups):
    values = np.random.default_rng(0).normal(size=(3, n))
    starts = group_starts(n, groups)
    parts = np.split(values, starts[1:], axis=1)
    lengths = [part.shape[1] for part in parts]
    assert len(parts) == min(n, groups)
    assert max(lengths) - min(lengths) <= 1
    np.testing.assert_allclose(grouped(values, groups), np.stack([part.mean(axis=1) for part in parts], axis=1))
