"""Updates of a wrong size."""

import numpy as np
import pytest

from planted_runs import planted
from unetdyn.analysis.diagnosis.rules import updates

RECORD = {"step": np.arange(2), "update_ratio": {"enc1": np.ones(2)}, "low": 2e-4, "high": 5e-4}


@pytest.mark.parametrize(
    ("logarithm", "code", "level", "why"),
    [
        (-2.0, "update.large", "watch", "its updates are large (0.01)"),
        (-1.0, "update.large", "ill", "its updates are large (0.1)"),
        (-6.0, "update.small", "watch", "its updates are tiny (1e-06)"),
        (-3.0, "update.usual", "good", ""),
        (np.nan, "update.usual", "unknown", ""),
    ],
)
def test_updates_are_graded(logarithm, code, level, why):
    (found,) = updates.find(planted(update_ratio_log10=np.full(40, logarithm)))
    assert (found.code, found.level, found.why) == (code, level, why)


@pytest.mark.parametrize(
    ("ratios", "level", "words"),
    [
        (np.r_[np.full(30, -1.0), np.full(10, -3.0)], "watch", "0.001, above 0.0005"),
        (np.r_[np.full(30, -3.0), np.full(10, -2.0)], "ill", "0.01, above 0.0005"),
        (np.r_[np.full(30, -1.0), np.full(10, -3.5)], "good", "0.00032, within 0.0002 to 0.0005"),
        (np.r_[np.full(30, -3.5), np.full(10, -4.0)], "watch", "0.0001, below 0.0002"),
    ],
)
def test_updates_are_judged_at_the_end_and_by_the_monitors_own_band(ratios, level, words):
    (found,) = updates.find(planted({"update": RECORD}, update_ratio_log10=ratios))
    assert (found.level, found.seen) == (level, f"median update-to-weight ratio of the last 10 epochs {words}")


def test_without_a_record_the_band_is_the_monitors_default():
    (found,) = updates.find(planted(update_ratio_log10=np.full(40, -3.0)))
    assert found.seen.endswith(f"within {updates.LOW:g} to {updates.HIGH:g}")


def test_nothing_to_say_where_nobody_watched():
    assert list(updates.find(planted())) == []
