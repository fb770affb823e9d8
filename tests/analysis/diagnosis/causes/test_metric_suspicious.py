"""A metric that can't be what its name says."""

import numpy as np
import pytest

from planted_runs import EPOCHS, flips, healthy, logged, planted
from unetdyn.analysis.diagnosis.causes import metric_suspicious


def told(evidence):
    return [(one.code, one.level, one.confidence) for one in metric_suspicious.find(evidence)]


STANDS = [("metric.constant", "watch", "high")]
SOFT = [("metric.suspicious", "watch", "high")]


@pytest.mark.parametrize(("by", "expected"), [(1e-3, STANDS), (-1e-3, [])])
def test_metric_that_stands_still_while_the_loss_falls(by, expected):
    loss = np.linspace(1.0, 1 - metric_suspicious.FELL - by, EPOCHS)
    assert told(planted(loss=loss, val_jaccard=np.full(EPOCHS, 0.3))) == expected


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_metric_of_nought_or_one_has_other_causes(value):
    assert told(planted(val_jaccard=np.full(EPOCHS, value))) == []


def test_metric_that_moves_a_little_does_not_stand_still():
    assert told(planted(val_jaccard=np.r_[np.full(EPOCHS - 1, 0.3), 0.3001])) == []


def test_few_epochs_of_the_same_value():
    for epochs, expected in ((metric_suspicious.LEAST, STANDS), (metric_suspicious.LEAST - 1, [])):
        logs = {"loss": np.linspace(1.0, 0.1, epochs), "val_jaccard": np.full(epochs, 0.3)}
        assert told(logged(**logs)) == expected


def probed(apart, soft, name="val_jaccard"):
    """A metric that is so far from the thresholded Jaccard of the probe set, and so far from the soft one."""
    values = healthy()["val_jaccard"]
    record = flips(jaccard=values + apart, soft_jaccard=values + soft)
    return logged({"flips": record}, loss=healthy()["loss"], **{name: values})


@pytest.mark.parametrize("name", ["val_jaccard", "val_iou_score", "jacard_coef"])
def test_soft_jaccard_under_a_thresholded_ones_name(name):
    for by, expected in ((1e-6, SOFT), (-1e-6, [])):
        assert told(probed(metric_suspicious.APART + by, 0.01, name)) == expected
        assert told(probed(-metric_suspicious.APART - by, 0.01, name)) == expected


def test_metric_far_from_both_is_no_soft_one():
    """The probe set is harder than the validation set: the soft one must be three times as near."""
    assert told(probed(0.15, 0.05 + 1e-6)) == []
    assert told(probed(0.15, 0.05 - 1e-6)) == SOFT


@pytest.mark.parametrize("side", [-1, 1])
def test_metric_very_far_from_the_thresholded_one_is_none_whatever_else_it_is(side):
    for by, expected in ((1e-6, SOFT), (-1e-6, [])):
        far = side * (metric_suspicious.FAR + by)
        assert told(probed(far, far)) == expected


def test_metric_that_only_scatters_about_the_thresholded_one_is_one():
    """A probe set of few images: as far above as below."""
    assert told(probed(2 * metric_suspicious.FAR * np.tile([1.0, -1.0], EPOCHS // 2), 0.5)) == []


@pytest.mark.parametrize("name", ["val_soft_jaccard", "val_dice", "val_accuracy"])
def test_other_metrics_are_not_compared_with_a_thresholded_jaccard(name):
    assert told(probed(0.5, 0.0, name)) == []


def test_probe_set_that_was_looked_at_in_few_epochs():
    record = flips(epochs=metric_suspicious.LEAST - 1, jaccard=0.0, soft_jaccard=0.8)
    assert told(planted({"flips": record}, val_jaccard=np.linspace(0.79, 0.81, EPOCHS))) == []


def test_epochs_are_matched():
    """The probe set was looked at in every fifth epoch; by place, the metric would be far from its Jaccard."""
    values = np.linspace(0.0, 0.9, EPOCHS)
    record = {"epoch": np.arange(0, EPOCHS, 5), "jaccard": values[::5], "soft_jaccard": np.zeros(EPOCHS // 5)}
    assert told(planted({"flips": record}, val_jaccard=values)) == []


def test_no_metric_no_finding():
    assert told(logged(loss=[1.0, 0.5])) == []
