"""The criteria of convergence against loops in plain Python, and against curves whose truth was planted."""

import math

import numpy as np
import pytest

from planted_noise import ar1
from unetdyn.analysis import (
    converged_by_change,
    converged_by_slope,
    converged_by_stability,
    convergence,
    read_history,
)

WAVE = 0.001 * np.sin(2.3 * np.arange(100))
LEFT = np.exp(-np.arange(100) / 8)
HISTORY = {"val_loss": 0.2 + 0.6 * LEFT + WAVE, "val_jaccard": 0.8 - 0.7 * LEFT + WAVE}


def when(held):
    """First True, and the start of the last unbroken stretch of True; by a loop."""
    first = since = None
    for epoch, holds in enumerate(held):
        first = epoch if holds and first is None else first
        since = (epoch if since is None else since) if holds else None
    return first, since


# Scatter


def test_stability_criterion_equals_a_loop():
    rng = np.random.default_rng(0)
    loss = 0.3 + rng.normal(0, 0.05, 80)
    jaccard = 0.7 + rng.normal(0, 0.01, 80)
    held = [
        t >= 9 and np.std(loss[t - 9 : t + 1], ddof=1) < 0.05 and np.std(jaccard[t - 9 : t + 1], ddof=1) < 0.01
        for t in range(80)
    ]
    found = converged_by_stability({"val_loss": loss, "val_jaccard": jaccard})
    assert (found.first_epoch, found.since) == when(held)
    assert found.converged == held[-1]
    assert found.first_epoch is not None
    assert found.loss_sigma == pytest.approx(np.std(loss[-10:], ddof=1))
    assert found.metric_sigma == pytest.approx(np.std(jaccard[-10:], ddof=1))


def test_stability_criterion_is_fooled_by_a_slow_fall_as_its_docstring_says():
    # σ of ten evenly falling values is 3.03 times the fall of an epoch, so 0.0165 is where 0.05 is reached.
    jaccard = np.full(60, 0.7)
    assert converged_by_stability({"val_loss": 2 - 0.0165 * np.arange(60), "val_jaccard": jaccard}).converged
    assert not converged_by_stability({"val_loss": 2 - 0.0166 * np.arange(60), "val_jaccard": jaccard}).converged
    assert not converged_by_slope(2 - 0.0165 * np.arange(60)).converged


def test_stability_criterion_needs_both():
    flat, wild = np.full(20, 0.3), 0.3 + 0.1 * (-1.0) ** np.arange(20)
    result = converged_by_stability({"loss": flat, "jaccard": wild})
    assert result.verdict == "not converged"
    assert result.watched == "loss and jaccard"
    assert result.evidence == "σ 0 < 0.05 and σ 0.105 ≥ 0.01"
    assert converged_by_stability({"loss": flat, "jaccard": flat}).first_epoch == 9


def test_stability_criterion_without_a_metric_is_undetermined():
    result = converged_by_stability({"loss": np.full(20, 0.3)})
    assert result.verdict == "undetermined"
    assert result.reason.startswith(
        "the criterion asks for a metric's σ too, and no metric of which more is better was logged in history, "
        "which has loss: "
    )
    assert result.reason.endswith("pass `metric=` the name of what to look at")


def test_stability_criterion_looks_at_epochs_in_which_both_were_logged():
    curves = {"loss": np.full(40, 0.3), "val_jaccard": np.full(8, 0.7)}
    result = converged_by_stability(read_history(curves, validation_freq=5), window=4)
    assert (result.first_epoch, result.since) == (19, 19)


# Relative change


def test_change_criterion_equals_a_loop():
    rng = np.random.default_rng(1)
    loss = 0.3 + 0.5 * np.exp(-np.arange(120) / 10) + rng.normal(0, 0.001, 120)
    small = [t >= 5 and abs(loss[t] - loss[t - 5]) / loss[t - 5] < 0.01 for t in range(120)]
    held = [t >= 2 and small[t] and small[t - 1] and small[t - 2] for t in range(120)]
    result = converged_by_change(loss, lag=5, in_a_row=3)
    assert (result.first_epoch, result.since) == when(held)
    assert result.since is not None
    assert result.change == pytest.approx(abs(loss[-1] - loss[-6]) / loss[-6])


def test_change_criterion_that_was_met_and_lost():
    loss = np.concatenate([np.full(30, 0.5), [0.4, 0.3]])
    result = converged_by_change(loss, lag=1, in_a_row=5, epochs=2 * np.arange(32))
    assert (result.verdict, result.first_epoch, result.since) == ("not converged", 10, None)
    assert result.summary == "not converged: held after epoch 11, but not to the end"
    assert result.evidence == "below 1 % for the last 0 epochs, of 5 that it takes"


def test_change_criterion_of_zero_and_negative_losses():
    assert converged_by_change(np.zeros(30)).converged
    assert converged_by_change(np.full(30, -0.5)).converged
    assert not converged_by_change(np.r_[np.zeros(29), 1.0]).converged


# Slope


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_a_curve_that_still_falls_by_just_more_than_the_margin_is_seldom_called_converged(phi):
    delta, draws = 0.001, 300
    rng = np.random.default_rng(int(10 * phi))
    # The standard error of the slope of 30 values is then a quarter of the margin.
    sigma = 0.25 * delta * math.sqrt(30**3 / 12 * (1 - phi) / (1 + phi))
    curve = 1 - 1.02 * delta * np.arange(60)
    found = [converged_by_slope(curve + sigma * ar1(rng, 60, phi), delta=delta) for _ in range(draws)]
    assert np.mean([result.converged for result in found]) <= 0.05
    flat = [converged_by_slope(sigma * ar1(rng, 60, phi), delta=delta) for _ in range(draws)]
    assert np.mean([result.converged for result in flat]) > 0.7


def test_the_default_margin_calls_a_slow_tail_of_the_training_not_converged():
    rng = np.random.default_rng(3)
    curve = 1 - 0.02 * np.minimum(np.arange(100), 40) - 0.001 * np.maximum(np.arange(100) - 40, 0)
    found = [converged_by_slope(curve + rng.normal(0, 0.002, 100)) for _ in range(200)]
    # The range is about 0.84, so the margin 0.00084 and the slope 0.001 outside it.
    assert np.mean([result.delta for result in found]) == pytest.approx(0.00082, abs=0.00003)
    assert np.mean([result.converged for result in found]) <= 0.05
    assert np.mean([result.verdict == "not converged" for result in found]) > 0.5


@pytest.mark.parametrize(("epochs", "step"), [(100, 1), (1200, 1), (3000, 1), (300, 10)])
def test_a_fall_as_even_in_the_end_as_ever_is_not_converged_however_long(epochs, step):
    result = converged_by_slope(np.linspace(1, 0, epochs), epochs=step * np.arange(epochs))
    assert result.verdict == "not converged"
    assert result.first_epoch is None
    # As many more epochs bring a tenth of the range, which a running median shortens by four epochs.
    span = step * (epochs - 1) + 1
    assert result.delta == pytest.approx(min(0.001, 0.1 / span) * (epochs - 5) / (epochs - 1))


def test_the_share_lowers_the_default_margin_and_long_trainings_that_went_flat_are_found():
    curve = np.exp(-np.arange(1200) / 60)
    flat, strict = converged_by_slope(curve), converged_by_slope(curve, share=1e-5)
    assert strict.delta < flat.delta
    assert flat.converged
    # The slope exp(−t/60)/60 falls below 0.97 · 0.1/1200 at 60 · ln 206 = 320, which lies in the middle of the window
    # of 30 that ends at 335; the whole interval is inside a little later.
    assert flat.since == pytest.approx(340, abs=6)


@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_a_curve_that_went_flat_is_found_within_a_window(phi):
    rng = np.random.default_rng(4)
    curve = 1 - 0.02 * np.minimum(np.arange(100), 40)
    found = [converged_by_slope(curve + 0.002 * ar1(rng, 100, phi)) for _ in range(100)]
    assert np.mean([result.converged for result in found]) > 0.97
    # From epoch 69 on a window of 30 holds nothing but the flat part; a median tells some epochs earlier.
    assert 60 <= np.median([result.since for result in found]) <= 72


def test_slope_verdicts_in_words():
    improving = converged_by_slope(1 - 0.005 * np.arange(100) + WAVE)
    assert improving.verdict == "not converged"
    assert improving.evidence.startswith("it still falls by 0.00499 an epoch (90 % interval -0.00502 to -0.00496)")
    assert converged_by_slope(0.005 * np.arange(100) + WAVE).evidence.startswith("it still rises by 0.00501 an epoch")
    noisy = converged_by_slope(LEFT + np.random.default_rng(5).normal(0, 0.1, 100))
    assert noisy.verdict == "undetermined"
    assert "the slope an epoch is uncertain (90 % interval -0.0" in noisy.reason
    flat = converged_by_slope(LEFT + WAVE)
    assert flat.evidence.startswith("the slope an epoch lies within ±0.00")


def test_a_window_as_long_as_advised_does_tell():
    rng = np.random.default_rng(6)
    curve = np.r_[np.linspace(1, 0, 30), np.zeros(500)]
    advised = []
    for _ in range(20):
        values = curve + rng.normal(0, 0.01, len(curve))
        result = converged_by_slope(values)
        if "might tell" in result.reason:
            window = int(result.reason.split("about ")[1].split()[0])
            advised.append(converged_by_slope(values, window=min(window, 400)).converged)
    assert len(advised) >= 10
    assert np.mean(advised) > 0.5


def test_slope_of_a_curve_that_overfits_is_not_converged_in_the_end():
    curve = np.r_[np.linspace(1, 0.3, 30), np.full(60, 0.3), np.linspace(0.3, 0.6, 30)]
    result = converged_by_slope(curve + np.random.default_rng(7).normal(0, 0.001, 120))
    assert result.verdict == "not converged"
    assert result.first_epoch is not None
    assert result.since is None
    assert result.summary.startswith("not converged: held after epoch ")


def test_slope_in_an_epoch_knows_of_gaps():
    values = 1 - 0.01 * np.arange(40)
    assert converged_by_slope(values, epochs=5 * np.arange(40)).slope == pytest.approx(-0.002)
    result = converged_by_slope(np.r_[values[:10], np.full(40, 0.9)], epochs=4 + 5 * np.arange(50))
    assert (result.since - 4) % 5 == 0


# Histories of every kind


def test_convergence_gives_all_three():
    result = convergence(HISTORY)
    assert result.converged
    assert result.verdict == "converged"
    assert (result.slope.watched, result.metric_slope.watched) == ("val_loss", "val_jaccard")
    assert result.change.watched == "val_loss"
    lines = str(result).splitlines()
    assert lines[0].startswith("slope of val_loss      converged: held from epoch ")
    assert [line.split("  ")[0] for line in lines] == [
        "slope of val_loss",
        "slope of val_jaccard",
        "small scatter",
        "small relative change",
    ]
    assert "<td" in result._repr_html_()
    assert "margin an epoch             ±0.000" in str(result.slope)


def test_convergence_without_validation_says_so():
    result = convergence({"loss": HISTORY["val_loss"], "jaccard": HISTORY["val_jaccard"]})
    assert result.slope.watched == "loss"
    assert result.stability.watched == "loss and jaccard"


def test_convergence_without_a_metric():
    result = convergence({"loss": HISTORY["val_loss"]})
    assert result.metric_slope is None
    assert result.slope.converged
    assert result.stability.verdict == "undetermined"


def test_convergence_of_one_epoch_and_of_none():
    result = convergence({"val_loss": [0.5], "val_jaccard": [0.1]})
    assert {result.stability.verdict, result.change.verdict, result.slope.verdict} == {"undetermined"}
    assert result.slope.reason == "1 of the 30 epochs that it needs"
    assert result.change.reason == "1 of the 20 epochs that it needs"
    assert convergence({"loss": [], "jaccard": []}).slope.reason == "0 of the 30 epochs that it needs"


def test_convergence_of_a_loss_that_left_the_numbers():
    loss = HISTORY["val_loss"].copy()
    loss[97:] = np.nan
    result = convergence({"val_loss": loss, "val_jaccard": HISTORY["val_jaccard"]})
    assert result.slope.reason == "NaN or infinite in 3 of the last 30 epochs"
    assert result.slope.verdict == result.stability.verdict == result.change.verdict == "undetermined"
    assert result.slope.first_epoch == convergence(HISTORY).slope.first_epoch
    for broken in (np.nan, np.inf):
        loss[:] = broken
        result = convergence({"val_loss": loss, "val_jaccard": -loss})
        assert result.slope.verdict == result.stability.verdict == result.change.verdict == "undetermined"
        assert result.slope.first_epoch is result.stability.first_epoch is result.change.first_epoch is None


def test_convergence_of_a_curve_that_never_changed():
    result = converged_by_slope(np.full(50, 0.3))
    assert result.verdict == "undetermined"
    assert result.reason == "the curve never changed, so that nothing says which slope is small; give `delta`"
    assert converged_by_slope(np.full(50, 0.3), delta=1e-4).since == 29


def test_convergence_with_validation_freq():
    history = {"loss": np.linspace(1, 0, 100), "val_loss": HISTORY["val_loss"][:20], "val_jaccard": np.full(20, 0.5)}
    result = convergence(read_history(history, validation_freq=5))
    assert result.slope.reason == "20 of the 30 epochs that it needs"
    assert result.stability.watched == "val_loss and val_jaccard"


def test_convergence_of_a_hundred_thousand_epochs():
    rng = np.random.default_rng(8)
    curve = np.exp(-np.arange(100_000) / 5000)
    history = {"val_loss": curve + rng.normal(0, 0.01, 100_000), "val_jaccard": 1 - curve}
    assert convergence(history, delta=0.01).slope.converged


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: convergence({"jaccard": [0.1]}), r"'loss' was not logged in history, which has jaccard"),
        (lambda: convergence(HISTORY, metric="jacard"), r"'jacard' was not logged .* Did you mean 'val_jaccard'\?"),
        (lambda: convergence(HISTORY, window=1), r"`window` must be a whole number of epochs, 2 or more. .*window=1\."),
        (lambda: converged_by_stability({"loss": [1.0]}, window=1), r"Received: window=1\."),
        (lambda: converged_by_stability(HISTORY, loss_sigma=0), r"`loss_sigma` must be a finite .* loss_sigma=0\."),
        (lambda: converged_by_stability(HISTORY, metric_sigma=-1), r"Received: metric_sigma=-1\."),
        (lambda: converged_by_change([1], lag=0), r"`lag` must be a whole number of epochs, 1 or more. .* lag=0\."),
        (lambda: converged_by_change([1], in_a_row=1.5), r"Received: in_a_row=1.5\."),
        (lambda: converged_by_change([1], tolerance=0), r"Received: tolerance=0\."),
        (lambda: converged_by_slope([1], window=9), r"`window` must be .* from 10 to 2000.* Received: window=9\."),
        (lambda: converged_by_slope([1], window=2001), r"pass every tenth value.* Received: window=2001\."),
        (lambda: converged_by_slope([1], delta=0), r"`delta` must be a finite number above 0. Received: delta=0\."),
        (lambda: converged_by_slope([1], share=math.nan), r"Received: share=nan\."),
        (lambda: converged_by_slope([1], alpha=0.5), r"`alpha` must lie between 0 and 0.5, .* Received: alpha=0.5\."),
        (lambda: converged_by_slope([[1, 2]]), r"`values` must be one value an epoch.* Received: shape \(1, 2\)"),
        (
            lambda: converged_by_slope([1, 2], epochs=[3, 3]),
            r"`epochs` must be ascending .* Received: \[3, 3\]",
        ),
        (lambda: converged_by_change([1, 2], epochs=[3]), r"one for each of the 2 values. Received: \[3\]"),
    ],
)
def test_wrong_arguments_are_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
