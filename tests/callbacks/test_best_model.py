"""`BestModel`: by what the best epoch is chosen. How `RunRecorder` uses it is tested there."""

import numpy as np
import pytest

from unetdyn.analysis.log_keys import LogKeys
from unetdyn.callbacks.best_model import BestModel

METRICS = {"accuracy": "up", "jaccard": "up", "odd": None}
KEYS = LogKeys(METRICS, {})


@pytest.mark.parametrize(
    ("logged", "name"),
    [
        (["loss", "jaccard"], "auto"),
        (["loss", "val_loss", "val_odd"], "val_loss"),
        (["val_loss", "val_accuracy"], "val_accuracy"),
        (["val_loss", "val_accuracy", "val_jaccard"], "val_jaccard"),
    ],
)
def test_auto_becomes_an_overlap_before_other_metrics_and_these_before_the_loss(logged, name):
    chosen = BestModel("auto", "auto")
    chosen.settle(dict.fromkeys(logged, 0.5), METRICS)
    assert chosen.name == name


@pytest.mark.parametrize(
    ("name", "mode", "direction", "told"),
    [
        ("val_loss", "auto", "down", [False, False]),
        ("val_loss", "max", "up", [False, False]),
        ("val_odd", "auto", "up", [True, False]),
    ],
)
def test_direction_that_is_a_guess_is_said_once(name, mode, direction, told):
    chosen = BestModel(name, mode)
    found = [chosen.concern(epoch, {name: 0.5}, KEYS) for epoch in range(2)]
    assert [finding is not None for finding in found] == told
    assert chosen.direction == direction


def test_what_is_not_one_number_is_said_once_and_chooses_nothing():
    chosen = BestModel("val_jaccard", "auto")
    logs = {"val_jaccard": np.zeros(3)}
    assert chosen.concern(0, logs, KEYS) is not None
    assert chosen.concern(1, {}, KEYS) is None
    assert (chosen.value(logs), chosen.value({}), chosen.value({"val_jaccard": 0.5})) == (None, None, 0.5)


def test_nan_is_never_better():
    chosen = BestModel("val_jaccard", "max")
    assert not chosen.is_better(np.nan)
    chosen.best = (0, 0.5)
    assert [chosen.is_better(value) for value in (0.6, 0.5, np.nan)] == [True, False, False]
