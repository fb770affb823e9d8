"""Swings of the metric."""

import numpy as np
import pytest

from planted_runs import healthy, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.rules import oscillation

EPOCH = np.arange(40)


@pytest.mark.parametrize(
    ("swing", "level", "why"),
    [
        (0.02 * (-1.0) ** EPOCH, "watch", "its validation Jaccard zigzags"),
        (0.03 * np.sin(EPOCH), "watch", "its validation Jaccard swings every 6"),
        (0 * EPOCH, "good", ""),
    ],
)
def test_swings_beyond_noise_are_to_be_watched(swing, level, why):
    (found,) = oscillation.find(planted(val_jaccard=healthy()["val_jaccard"] + swing))
    assert (found.code, found.level) == ("metric.oscillation", level)
    assert found.why.startswith(why)
    assert bool(found.why) == bool(why)


def test_few_epochs_tell_nothing():
    (found,) = oscillation.find(Evidence.read({"val_jaccard": [0.1, 0.2]}))
    assert found.level == "unknown"
