"""Swings of the metric, which are an observation."""

import numpy as np
import pytest

from planted_runs import healthy, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.causes import oscillation

EPOCH = np.arange(40)


@pytest.mark.parametrize(
    ("swing", "level", "seen"),
    [
        (0.02 * (-1.0) ** EPOCH, "info", "zigzags from epoch to epoch, by 0.0"),
        (0.03 * np.sin(EPOCH), "info", "swings every 6"),
        (0 * EPOCH, "good", "none beyond noise"),
    ],
)
def test_swings_beyond_noise_are_seen(swing, level, seen):
    (found,) = oscillation.find(planted(val_jaccard=healthy()["val_jaccard"] + swing))
    assert (found.code, found.level, found.why) == ("metric.oscillation", level, "")
    assert found.seen.startswith(seen)


def test_few_epochs_tell_nothing():
    (found,) = oscillation.find(Evidence.read({"val_jaccard": [0.1, 0.2]}))
    assert found.level == "unknown"


def test_no_metric_no_finding():
    assert list(oscillation.find(Evidence.read({"loss": [0.1, 0.2]}))) == []
