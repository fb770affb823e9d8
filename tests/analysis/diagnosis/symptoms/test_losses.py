"""Whether the losses fell, and stayed there."""

import math

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, healthy, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.rules import losses


def found(evidence):
    return {finding.seen.split(" loss")[0]: finding for finding in losses.find(evidence)}


def test_healthy_losses_fell():
    both = found(planted())
    assert [(one.code, one.level) for one in both.values()] == [("loss.fell", "good")] * 2
    values = healthy()["loss"]
    expected = f"training loss {values[0]:.3g} at first, {values.min():.3g} at best, {values[-1]:.3g} at the end"
    assert both["training"].seen == expected


@pytest.mark.parametrize(
    ("change", "code", "level", "why"),
    [
        ({"loss": np.full(EPOCHS, 0.69)}, "loss.flat", "ill", "its training loss never fell by more than noise"),
        ({"val_loss": 0.69 + CALM}, "loss.flat", "watch", "its validation loss never fell by more than noise"),
        ({"loss": np.linspace(0.3, 0.4, EPOCHS)}, "loss.rose", "ill", "its training loss rose from 0.3 to 0.4"),
        ({"loss": np.r_[healthy()["loss"][:-1], 1e6]}, "loss.rose", "ill", "rose from 0.101 to 1000000 at the end"),
        ({"loss": np.r_[healthy()["loss"][:-1], 0.5]}, "loss.rose", "watch", "to 0.5 at the end"),
        ({"val_loss": np.r_[healthy()["val_loss"][:20], np.full(20, 50.0)]}, "loss.rose", "ill", "rose from 0.1"),
        ({"val_loss": 0.12 + 0.004 * np.abs(np.arange(EPOCHS) - 15)}, "loss.rose", "watch", "from 0.12 to 0.216"),
        (
            {"loss": np.r_[healthy()["loss"][:20], np.full(20, math.nan)]},
            "loss.nonfinite",
            "ill",
            "its training loss is not finite at the end",
        ),
    ],
)
def test_losses_that_did_not_fall(change, code, level, why):
    one = found(planted(**change))["training" if "loss" in change else "validation"]
    assert (one.code, one.level, one.name) == (code, level, "loss")
    assert why in one.why


@pytest.mark.parametrize("name", losses.GIVEN_BACK)
def test_thresholds_are_where_the_rule_says(name):
    for part, levels in zip(losses.GIVEN_BACK[name], (("good", "watch"), ("watch", "ill")), strict=True):
        for given_back, level in zip((part - 1e-6, part + 1e-6), levels, strict=True):
            values = np.r_[np.linspace(1.0, 0.5, EPOCHS - 1), 0.5 + 0.5 * given_back]
            assert [one.level for one in losses.find(Evidence.read({name: values}))] == [level]


def test_of_a_few_epochs_only_nan_says_anything():
    assert [one.level for one in losses.find(Evidence.read({"loss": [0.4, 0.5]}))] == ["unknown"]
    assert [one.level for one in losses.find(Evidence.read({"loss": [0.5, math.nan]}))] == ["ill"]
