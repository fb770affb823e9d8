"""Whether it converged, which is no illness."""

import numpy as np
import pytest

from planted_runs import descent
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.causes import convergence

LONG = np.arange(120)


@pytest.mark.parametrize(
    ("logs", "level"),
    [
        ({"loss": 0.2 + 0.6 * np.exp(-LONG / 8) + 1e-4 * np.random.default_rng(0).normal(size=120)}, "good"),
        (descent(16, 40), "unknown"),
        ({"loss": [0.5, 0.4]}, "unknown"),
    ],
)
def test_not_to_have_converged_is_open(logs, level):
    (found,) = convergence.find(Evidence.read(logs))
    assert (found.code, found.level, found.why) == ("convergence", level, "")


def test_without_a_loss_there_is_nothing_to_say():
    assert list(convergence.find(Evidence.read({"val_jaccard": [0.1, 0.2]}))) == []
