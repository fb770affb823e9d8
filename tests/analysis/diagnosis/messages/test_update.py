"""What is told of updates: codes, levels and numbers."""

import pytest

from unetdyn.analysis.diagnosis.messages.update import updates_too_large, updates_too_small


@pytest.mark.parametrize(
    ("warmup", "where"), [(100, "over 7 steps (after 100 of warm-up) of"), (None, "over 7 steps of warm-up of")]
)
def test_updates_too_large(warmup, where):
    found = updates_too_large({"enc1": 0.0123, "head": 0.5}, 7, 3e-3, warmup)
    assert (found.code, found.level, found.threshold) == ("update.large", "watch", "above 0.003")
    assert where in found.seen
    assert found.seen.endswith("was above 0.003 in enc1 (0.012), head (0.5).")
    assert "a lower learning rate" in found.advice


def test_updates_too_small():
    found = updates_too_small({"enc1": 2e-5}, 7, 1e-4, 5)
    assert (found.code, found.level, found.threshold) == ("update.small", "watch", "below 0.0001")
    assert found.seen.endswith("over 7 steps (after 5 of warm-up) of ‖Δw‖/‖w‖ was below 0.0001 in enc1 (2e-05).")
    assert "a higher learning rate" in found.advice
