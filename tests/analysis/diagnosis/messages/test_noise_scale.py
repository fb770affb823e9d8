"""What is told of the gradient noise scale: codes and numbers."""

import math
from typing import NamedTuple

import pytest

from unetdyn.analysis.diagnosis.messages.noise_scale import (
    CONTROLLED,
    batch_size_differs,
    batch_size_unknown,
    noise_scale_estimate,
    side,
)


class Estimate(NamedTuple):
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    observations: int = 200
    reason: str = ""


KNOWN = Estimate(8.0, 4.0, 16.0)


@pytest.mark.parametrize(
    ("batch", "where", "steps", "samples"),
    [(2, "below that", "5", "1.25"), (8, "within it", "2", "2"), (32, "above that", "1.25", "5")],
)
def test_estimate_says_what_the_batch_costs(batch, where, steps, samples):
    """S / S_min = 1 + B_noise / B, and E / E_min = 1 + B / B_noise."""
    found = noise_scale_estimate(KNOWN, batch, "pairs", 200, 0.95)
    assert (found.code, found.level) == ("noise_scale.estimate", "unknown")
    assert "is 8 samples (95% interval 4 to 16), from 200 pairs." in found.seen
    assert f"Updates use {batch} samples, {where}" in found.seen
    assert f"about {steps} times the fewest possible steps and {samples} times the fewest samples" in found.seen
    assert side(KNOWN, batch) == {2: -1, 8: 0, 32: 1}[batch]


@pytest.mark.parametrize(
    ("found", "bound", "longer"),
    [
        (Estimate(reason="it is lost"), False, True),
        (Estimate(low=3.0, high=math.inf, reason="it is lost"), True, True),
        (Estimate(observations=199, reason="it is lost"), False, False),
        (Estimate(reason=CONTROLLED), False, False),
    ],
)
def test_undetermined_estimate_says_why(found, bound, longer):
    seen = noise_scale_estimate(found, 8, "pairs", 200, 0.95).seen
    assert f"from {found.observations} pairs: {found.reason}." in seen
    assert ("undetermined, but above 3 samples" in seen) == bound
    assert ("A `window` longer than 200 may tell." in seen) == longer


def test_doubts_about_the_batch_size():
    assert "in epoch 3," in batch_size_unknown(2).seen
    found = batch_size_differs(2, 64, 4, 16, 8)
    assert (found.code, found.level) == ("noise_scale.batch_size_differs", "watch")
    assert "In epoch 3 the loss counted 64 samples in 4 steps, about 16 in each. Received: batch_size=8." in found.seen
