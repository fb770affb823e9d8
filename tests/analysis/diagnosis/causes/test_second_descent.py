"""Double descent, which is an observation."""

import numpy as np

from planted_runs import logged, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.causes import second_descent

EPOCH = np.arange(200)
FALLS_TWICE = 0.3 + 0.7 * np.exp(-EPOCH / 15) + 0.4 * np.exp(-(((EPOCH - 90) / 20) ** 2)) + 0.03 * np.sin(2.3 * EPOCH)


def test_second_descent_beyond_noise_is_seen():
    (found,) = second_descent.find(logged(val_loss=FALLS_TWICE))
    assert (found.code, found.level, found.why, found.curves) == ("loss.double_descent", "info", "", ("val_loss",))
    assert found.seen == "rose from epoch 50 to 90 by 0.331, then fell by 0.373"
    ((first, last),) = found.epochs
    assert first < 90 < last


def test_a_loss_that_only_falls_has_none():
    (found,) = second_descent.find(planted())
    assert (found.level, found.seen) == ("good", "none beyond noise")


def test_few_epochs_tell_nothing():
    (found,) = second_descent.find(Evidence.read({"loss": [0.2, 0.1]}))
    assert found.level == "unknown"


def test_no_loss_no_finding():
    assert list(second_descent.find(Evidence.read({"val_jaccard": [0.1, 0.2]}))) == []
