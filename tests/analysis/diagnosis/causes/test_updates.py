"""How far updates move the weights at the end, which is an observation."""

import numpy as np
import pytest

from planted_runs import EPOCHS, planted
from planted_runs import updates as recorded
from unetdyn.analysis.diagnosis.causes import updates


@pytest.mark.parametrize(
    ("ratio", "code", "level"),
    [
        (updates.HIGH * 1.001, "update.large", "info"),
        (updates.HIGH * 0.999, "update.usual", "good"),
        (updates.LOW * 1.001, "update.usual", "good"),
        (updates.LOW * 0.999, "update.small", "info"),
        (np.nan, "update.usual", "unknown"),
    ],
)
def test_updates_are_seen_beside_the_band(ratio, code, level):
    (found,) = updates.find(planted(update_ratio_log10=np.full(EPOCHS, np.log10(ratio))))
    assert (found.code, found.level, found.why) == (code, level, "")


@pytest.mark.parametrize(
    ("ratios", "level", "words"),
    [
        (np.r_[np.full(30, -1.0), np.full(10, -3.0)], "info", "0.001, above 0.0005"),
        (np.r_[np.full(30, -3.0), np.full(10, -2.0)], "info", "0.01, above 0.0005"),
        (np.r_[np.full(30, -1.0), np.full(10, -3.5)], "good", "0.00032, within 0.0002 to 0.0005"),
        (np.r_[np.full(30, -3.5), np.full(10, -4.0)], "info", "0.0001, below 0.0002"),
    ],
)
def test_updates_are_judged_at_the_end_and_by_the_monitors_own_band(ratios, level, words):
    record = recorded(low=2e-4, high=5e-4, enc1=1e-3)
    (found,) = updates.find(planted({"update": record}, update_ratio_log10=ratios))
    assert (found.level, found.seen) == (level, f"median update-to-weight ratio of the last 10 epochs {words}")


def test_without_a_record_the_band_is_the_monitors_default():
    (found,) = updates.find(planted(update_ratio_log10=np.full(EPOCHS, -3.0)))
    assert found.seen.endswith(f"within {updates.LOW:g} to {updates.HIGH:g}")


def test_nothing_to_say_where_nobody_watched():
    assert list(updates.find(planted())) == []
