"""What is told of skipped updates: codes, levels and numbers."""

import pytest

from unetdyn.analysis.diagnosis.messages.guard import training_stopped, updates_skipped


@pytest.mark.parametrize(
    ("others", "everywhere", "where"),
    [
        (0, False, "first at step 9 in a/b (block a). No NaN has entered"),
        (1, False, "a/b (block a) and in 1 other variable nearer to the input."),
        (2, False, "a/b (block a) and in 2 other variables nearer to the input."),
        (2, True, "and in every other variable: the loss itself, or the batch, was not finite."),
        (0, True, "first at step 9 in a/b (block a). No NaN has entered"),
    ],
)
@pytest.mark.parametrize("scaled", [True, False])
def test_updates_skipped(others, everywhere, where, scaled):
    found = updates_skipped(3, 8, 9, "a/b", "a", others, everywhere, scaled)
    assert (found.code, found.level) == ("guard.skipped", "watch")
    assert "3 of 8 updates skipped" in found.seen
    assert where in found.seen
    assert ("a few are harmless" in found.seen) == scaled


def test_training_stopped():
    found = training_stopped(10, 41, "a/b", "a")
    assert (found.code, found.level, found.threshold) == ("guard.stopped", "ill", "10 in a row")
    assert "after 10 updates skipped in a row for non-finite gradients, up to step 41, the last from a/b" in found.seen
    assert "a lower learning rate" in found.advice
