"""The profile through the network, and medians of what is finite."""

import math

import numpy as np
import pytest

from unetdyn.analysis.profile import profile
from unetdyn.analysis.robust import finite_median

BLOCKS = {"enc1": [8.0, np.nan, 1.0, 3.0], "bottleneck": [2.0, 4.0, np.inf, 4.0], "head": [np.nan] * 4}


def test_profile_is_medians_of_finite_norms_in_order():
    found = profile(BLOCKS)
    assert list(found.norms) == ["enc1", "bottleneck", "head"]
    assert found.norms["enc1"] == 3.0
    assert found.norms["bottleneck"] == 4.0
    assert math.isnan(found.norms["head"])
    assert found.ratio == 0.75


def test_profile_of_the_last_steps():
    assert profile(BLOCKS, last=2).norms["enc1"] == 2.0
    assert profile(BLOCKS, last=100).norms == pytest.approx(profile(BLOCKS).norms, nan_ok=True)


@pytest.mark.parametrize("blocks", [{"dense": [1.0]}, {"bottleneck": [1.0]}, {"enc1": [1.0], "bottleneck": [0.0]}])
def test_ratio_is_not_defined_without_both_ends(blocks):
    assert math.isnan(profile(blocks).ratio)


def test_profile_refuses_no_steps():
    with pytest.raises(ValueError, match=r"`last` must be a positive number of steps.* Received: last=0"):
        profile(BLOCKS, last=0)


def test_finite_median_leaves_out_what_is_not_finite():
    assert finite_median([5.0, np.inf, 1.0, np.nan, -np.inf, 2.0]) == 2.0
    assert math.isnan(finite_median([]))
