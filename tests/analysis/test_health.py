"""Health and stability against the standard library, and histories that lack something."""

import json
import math
import re
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis import (
    analyze_training_stability,
    compute_training_health,
    read_history,
    training_health,
    training_stability,
)

losses = st.lists(st.floats(0.01, 10.0), min_size=12, max_size=30)


def history(epochs=30, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(epochs)
    fall = np.exp(-t / 8)
    return {
        "loss": (0.2 + 0.7 * fall + 0.01 * rng.normal(size=epochs)).tolist(),
        "val_loss": (0.3 + 0.7 * fall + 0.03 * rng.normal(size=epochs)).tolist(),
        "jaccard": (0.8 - 0.7 * fall).tolist(),
        "val_jaccard": (0.7 - 0.6 * fall + 0.02 * rng.normal(size=epochs)).tolist(),
    }


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("window", [2, 10])
def test_training_health_equals_plain_python(window, ddof):
    logs = history()
    found = training_health(logs, window=window, ddof=ddof)
    score, deviation = logs["val_jaccard"], statistics.stdev if ddof else statistics.pstdev
    assert found.loss_sigma == pytest.approx(deviation(logs["val_loss"][-window:]), rel=1e-9)
    assert found.metric_sigma == pytest.approx(deviation(score[-window:]), rel=1e-9)
    gap = statistics.fmean(logs["val_loss"][-window:]) - statistics.fmean(logs["loss"][-window:])
    assert found.loss_gap == pytest.approx(gap, rel=1e-9)
    assert found.peak_epoch == score.index(max(score))
    assert found.peak_performance == max(score)
    assert found.final_performance == score[-1]
    assert found.learning_efficiency == pytest.approx(max(score) / (score.index(max(score)) + 1))
    central = [(score[i + 1] - score[i - 1]) / 2 for i in range(1, len(score) - 1)]
    rates = [score[1] - score[0], *central, score[-1] - score[-2]]
    assert found.rates == pytest.approx(rates)
    assert found.recent_rate == pytest.approx(statistics.fmean(rates[-window:]))
    assert (found.watched, found.watched_loss, found.window) == ("val_jaccard", "val_loss", window)


@given(losses, st.floats(0.0, 5.0))
@settings(deadline=None, max_examples=25)
def test_the_gap_is_what_was_put_between_the_curves(loss, gap):
    found = training_health({"loss": loss, "val_loss": [value + gap for value in loss]})
    assert found.loss_gap == pytest.approx(gap, abs=1e-9)


def test_the_rate_of_a_line_is_its_slope_whatever_the_gaps():
    """With `validation_freq=3` the metric is there in every third epoch only."""
    logs = {"loss": [1.0] * 12, "val_loss": [1.5] * 4, "val_jaccard": [0.02, 0.08, 0.14, 0.20]}
    found = training_health(read_history(logs, validation_freq=3), window=3)
    assert found.recent_rate == pytest.approx(0.02)
    assert found.peak_epoch == 11
    assert found.loss_gap == pytest.approx(0.5)
    assert found.learning_efficiency == pytest.approx(0.2 / 12)


def test_the_gap_compares_the_epochs_that_have_both_losses():
    loss = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    found = training_health(read_history({"loss": loss, "val_loss": [7.5, 5.5, 3.5, 1.5]}, validation_freq=2), window=2)
    assert found.loss_gap == pytest.approx(0.5)


def test_health_and_stability_are_dictionaries_too():
    for found in (training_health(history()), training_stability(history())):
        as_dict = found.as_dict()
        assert list(as_dict) == list(found)
        assert as_dict["loss_sigma"] == found["loss_sigma"] == found.loss_sigma
        assert json.loads(json.dumps(as_dict))["stability_class"] == found.stability_class
        with pytest.raises(KeyError, match=r"has .*loss_sigma, .* Received: 'loss_simga'. Did you mean 'loss_sigma'"):
            found["loss_simga"]


def test_what_is_measured_otherwise_than_in_the_studies_has_no_key_of_theirs():
    """Of what they have too, only what means the same."""
    studies = compute_training_health(history()).keys() | analyze_training_stability(history()).keys()
    shared = {"peak_epoch", "learning_efficiency", "final_performance", "peak_performance"}
    assert studies & (set(training_health(history())) | set(training_stability(history()))) == shared


def test_a_short_history_has_no_sigma_and_says_so():
    found = training_health({key: values[:3] for key, values in history().items()})
    assert math.isnan(found.loss_sigma)
    assert found.stability_class is None
    assert found.counts["loss_gap"] == 3
    assert math.isfinite(found.loss_gap)
    assert "σ of val_loss        undetermined: 3 of the 10 epochs that it needs" in str(found)
    text = str(training_stability({key: values[:3] for key, values in history().items()}))
    assert "σ of val_loss     undetermined: 3 of the 10 epochs that it needs" in text


def test_one_epoch_has_a_peak_and_no_rate():
    found = training_health({"loss": [0.9], "val_loss": [0.8], "val_jaccard": [0.3]})
    assert (found.peak_epoch, found.peak_performance, found.learning_efficiency) == (0, 0.3, 0.3)
    assert math.isnan(found.recent_rate)
    assert found.rates == ()
    assert found.loss_gap == pytest.approx(-0.1)


def test_without_validation_there_is_no_gap():
    found = training_health({"loss": [0.9] * 12, "jaccard": [0.3] * 12})
    assert math.isnan(found.loss_gap)
    assert (found.watched, found.watched_loss) == ("jaccard", "loss")
    assert "loss gap             undetermined: not logged" in str(found)


def test_without_a_metric_the_losses_are_told():
    found = training_health({"loss": [0.9] * 12})
    assert found.watched is None
    assert found.peak_epoch is None
    assert math.isnan(found.peak_performance)
    assert math.isnan(found.final_performance)
    assert found.loss_sigma == 0.0
    assert training_stability({"loss": [0.9] * 12}).stability_class == "Excellent"
    assert training_health(history()).reason == training_stability(history()).reason == ""


@pytest.mark.parametrize("function", [training_health, training_stability])
def test_without_a_metric_it_is_said_what_there_is_and_what_to_do(function):
    """A metric of no usual name, without validation: only its values are there."""
    curves = {"loss": [0.9] * 12, "sharpness": [0.5] * 12}
    found = function(curves)
    said = r"no metric .* was logged in history, which has loss, sharpness: .* or pass `metric=` the name of .*"
    assert re.fullmatch(said, found.reason)
    assert f" undetermined: {found.reason}\n" in str(found)
    assert function(curves, metric="sharpness").watched == "sharpness"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_left_the_real_numbers_is_very_poor(bad):
    logs = history()
    logs["val_loss"][-2] = logs["val_jaccard"][-2] = bad
    found = training_health(logs)
    assert found.stability_class == "Very poor"
    assert math.isnan(found.loss_gap)
    assert math.isnan(found.recent_rate)
    assert math.isfinite(found.peak_performance)
    assert math.isfinite(found.learning_efficiency)
    assert "undetermined: a value of the last 10 is NaN or infinite" in str(training_stability(logs))


def test_a_metric_of_nothing_but_nan_has_no_peak():
    found = training_health({"loss": [1.0, 1.0], "val_jaccard": [math.nan, math.nan]})
    assert found.peak_epoch is None
    assert math.isnan(found.learning_efficiency)


def test_stability_equals_the_standard_library():
    logs = history()
    found = training_stability(logs, window=7)
    for sigma, name in (("loss", "val_loss"), ("metric", "val_jaccard")):
        last = logs[name][-7:]
        assert found[f"{sigma}_sigma"] == pytest.approx(statistics.stdev(last), rel=1e-9)
        assert found[f"mean_{sigma}"] == pytest.approx(statistics.fmean(last), rel=1e-12)
        assert found[f"{sigma}_cv"] == pytest.approx(statistics.stdev(last) / statistics.fmean(last), rel=1e-9)


@pytest.mark.parametrize("function", [training_health, training_stability])
def test_arguments_that_mean_nothing_are_refused(function):
    with pytest.raises(ValueError, match=r"'jacard' was not logged in history, .* Did you mean 'jaccard'"):
        function(history(), metric="jacard")
    with pytest.raises(ValueError, match=r"`window` must be a whole number of epochs, 2 or more. Received: window=1"):
        function(history(), window=1)
    with pytest.raises(ValueError, match="'loss' was not logged"):
        function({"jaccard": [0.1, 0.2]})


def test_an_error_has_no_peak_performance():
    logs = {"loss": [0.9] * 12, "val_mae": [0.3] * 12}
    assert training_health(logs).watched is None
    with pytest.raises(ValueError, match=r"`metric` must be one of which more is better.* Received: metric='val_mae'"):
        training_health(logs, metric="val_mae")
    assert training_stability(logs, metric="val_mae").metric_sigma == 0.0


def test_the_metric_of_two_outputs_is_no_loss():
    logs = {name: [0.638, 0.5] for name in ("edge_loss", "loss", "mask_loss", "val_edge_loss", "val_loss")}
    assert training_health({**logs, "val_mask_jaccard": [0.2, 0.3]}).watched == "val_mask_jaccard"


def test_another_metric_can_be_asked_for():
    logs = {**history(), "val_dice": [0.1] * 30}
    assert training_health(logs, metric="val_dice").watched == "val_dice"
    assert training_health(logs, metric="dice").peak_performance == 0.1
