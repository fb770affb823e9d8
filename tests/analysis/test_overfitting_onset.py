"""Overfitting on planted trainings: false alarms, onsets, coverage of the gap; and histories that lack something."""

import math

import numpy as np
import pytest

from unetdyn.analysis import overfitting, read_history
from unetdyn.analysis.ar1 import AR1

SIGMA = 0.02
ONSET = 60


def planted(epochs=120, phi=0.5, rise=0.005, seed=0, flat=False, train_falls=True):
    t = np.arange(epochs)
    rng = np.random.default_rng(seed)
    noise = AR1(phi, SIGMA * np.sqrt(1 - phi**2)).draw(epochs, 2, rng)
    loss = 0.1 + 0.8 * np.exp(-t / 25) if train_falls else np.full(epochs, 0.4)
    val_loss = 0.3 + (0.0 if flat else 0.6) * np.exp(-t / 10) + rise * np.maximum(t - ONSET, 0)
    return {"loss": loss + 0.5 * noise[0], "val_loss": val_loss + noise[1]}, np.mean((val_loss - loss)[-10:])


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_a_training_that_never_overfits_raises_no_alarm(phi, flat):
    """1 % is what was asked for; 6 of 200 is what a rate of 1 % exceeds once in two hundred times."""
    alarms = sum(overfitting(planted(100, phi, 0, seed, flat)[0]).onset is not None for seed in range(200))
    assert alarms <= 6


def test_the_chance_of_a_alpha_is_the_one_asked_for():
    """A test that never fires would pass the one above."""
    histories = [planted(60, 0.0, 0, seed, flat=True)[0] for seed in range(200)]
    alarms = sum(overfitting(one, alpha=0.3).onset is not None for one in histories)
    assert 20 <= alarms <= 75


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_a_planted_onset_is_found_where_it_is(phi):
    onsets = [overfitting(planted(120, phi, 0.01, seed)[0]).onset for seed in range(40)]
    assert None not in onsets
    assert abs(np.median(onsets) - ONSET) <= 2
    assert np.percentile(np.abs(np.array(onsets) - ONSET), 90) <= 8


def test_a_planted_onset_is_found_soon():
    """A rise of half a σ an epoch, looked at twenty epochs after it began."""
    found = [overfitting(planted(ONSET + 20, 0.0, 0.01, seed)[0]).onset for seed in range(40)]
    assert sum(onset is not None for onset in found) >= 38


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_interval_of_the_gap_covers_the_planted_gap(phi):
    covered = 0
    for seed in range(200):
        history, gap = planted(100, phi, 0, seed)
        low, high = overfitting(history).gap_interval
        covered += low <= gap <= high
    assert 0.89 <= covered / 200 <= 0.995  # 95 % ± four standard errors


def test_an_interval_that_forgot_the_autocorrelation_would_be_too_narrow():
    """The naive s / sqrt(n) covers 43 % at φ = 0.8: ours must be wider by what autocorrelation costs."""
    history, _ = planted(100, 0.8, 0)
    found = overfitting(history)
    naive = 1.96 * np.std((history["val_loss"] - history["loss"])[-10:], ddof=1) / np.sqrt(10)
    assert (found.gap_interval[1] - found.gap) > 1.5 * naive
    assert found.autocorrelation == pytest.approx(0.8, abs=0.15)


def test_the_gap_is_the_mean_difference_of_the_last_epochs():
    history, _ = planted()
    found = overfitting(history, window=7)
    assert found.gap == pytest.approx(np.mean(history["val_loss"][-7:]) - np.mean(history["loss"][-7:]))
    assert found.gap_interval[0] < found.gap < found.gap_interval[1]
    assert found.count == 7


def test_a_wider_confidence_is_a_wider_interval():
    history, _ = planted()
    widths = [np.diff(overfitting(history, confidence=level).gap_interval)[0] for level in (0.5, 0.8, 0.95, 0.99)]
    assert widths == sorted(widths)
    assert widths[-1] > 2 * widths[0]


def test_where_the_training_loss_rises_too_it_is_no_overfitting():
    history, _ = planted(train_falls=False)
    found = overfitting(history)
    assert found.onset is None
    assert found.determined
    assert found.reason == ""
    assert found.rise > found.rise_of_noise
    assert "but the training loss did not fall meanwhile" in str(found)


def test_the_evidence_is_told():
    text = str(overfitting(planted(rise=0.01)[0]))
    assert text.startswith("overfitting         from epoch 6")
    assert "above its lowest (noise alone: 0." in text
    assert ", training loss 0.0" in text
    text = str(overfitting(planted(rise=0)[0]))
    assert text.startswith("overfitting         no onset found\n")


def test_a_curve_without_noise_has_its_onset_at_the_hinge():
    t = np.arange(100)
    loss, val_loss = 0.9 * np.exp(-t / 30), 0.3 + 0.01 * np.maximum(t - 50, 0)
    found = overfitting({"loss": loss, "val_loss": val_loss})
    assert found.onset == 50
    assert found.rise == pytest.approx(0.01 * np.mean(np.arange(40, 50)), rel=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-12])
def test_constant_curves_do_not_overfit(value):
    found = overfitting({"loss": [value] * 40, "val_loss": [value + 0.2] * 40})
    assert found.onset is None
    assert found.gap_interval == pytest.approx((0.2, 0.2))


def test_validation_in_every_third_epoch_gives_epochs_of_the_training():
    history, gap = planted(360, 0.0, 0.01)
    kept = {"loss": history["loss"], "val_loss": history["val_loss"][2::3]}
    found = overfitting(read_history(kept, validation_freq=3))
    assert abs(found.onset - ONSET) <= 6
    assert found.gap == pytest.approx(gap, abs=0.15)


def test_epochs_that_are_not_finite_are_left_out():
    history, _ = planted(rise=0.01)
    history["val_loss"][[5, 70]] = math.nan
    history["loss"][90] = math.inf
    assert abs(overfitting(history).onset - ONSET) <= 6


@pytest.mark.parametrize("epochs", [1, 2, 19])
def test_too_few_epochs_are_undetermined(epochs):
    found = overfitting({"loss": [0.5] * epochs, "val_loss": [0.6] * epochs})
    assert not found.determined
    assert found.onset is None
    assert found.gap == pytest.approx(0.1)
    assert str(found).startswith(f"overfitting  undetermined: {epochs} of the 20 epochs that it needs\n")
    assert np.isnan(found.gap_interval).all()


def test_without_validation_there_is_nothing_to_compare():
    found = overfitting({"loss": [0.5] * 40})
    assert math.isnan(found.gap)
    assert found.reason == "no validation loss"
    assert str(found) == "overfitting  undetermined: no validation loss\ngap          not defined"


def test_the_same_history_gives_the_same_answer():
    history, _ = planted()
    assert overfitting(history) == overfitting(history)


def test_the_onset_is_found_in_a_hundred_thousand_epochs():
    t = np.arange(100_000)
    noise = 0.02 * np.random.default_rng(0).normal(size=(2, len(t)))
    loss, val_loss = 0.9 * np.exp(-t / 30_000), 0.3 + 1e-5 * np.maximum(t - 50_000, 0)
    found = overfitting({"loss": loss + noise[0], "val_loss": val_loss + noise[1]})
    assert found.onset == pytest.approx(50_000, abs=1_000)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"confidence": 95}, r"`confidence` must lie between 0 and 1, .* Received: confidence=95"),
        ({"alpha": 0}, r"`alpha` must lie between 0 and 0.5, .* Received: alpha=0"),
        ({"window": 0}, r"`window` must be a whole number of epochs, 2 or more. Received: window=0"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        overfitting({"loss": [1.0], "val_loss": [1.0]}, **kwargs)


def test_a_history_without_a_loss_is_refused():
    with pytest.raises(ValueError, match="'loss' was not logged"):
        overfitting({"jaccard": [0.1] * 30})


def test_a_window_of_many_epochs_is_averaged_down():
    t = np.arange(20_000)
    noise = 0.02 * np.random.default_rng(0).normal(size=(2, len(t)))
    found = overfitting({"loss": 0.2 + noise[0], "val_loss": 0.3 + noise[1]}, window=10_000)
    width = found.gap_interval[1] - found.gap
    assert width == pytest.approx(1.96 * 0.02 * np.sqrt(2) / np.sqrt(10_000), rel=0.2)
