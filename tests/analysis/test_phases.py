"""The phases of planted trainings, and of trainings that are too short or too noisy to tell."""

import numpy as np
import pytest
from scipy.stats import binomtest

from planted_noise import ar1
from unetdyn.analysis import overfitting, training_phases
from unetdyn.runs import RunWriter

T = np.arange(100.0)
TWO_LINES = np.maximum(1 - 0.03 * T, 0.4 - 0.003 * (T - 20))  # they meet at 20


def noisy(curve, sigma=0.02, phi=0.0, seed=0):
    return curve + sigma * ar1(np.random.default_rng(seed), len(curve), phi)


def planted(seed=0, onset=60):
    """Rapid for 20 epochs, then slow; the validation loss rises from the onset on."""
    rises = 0.25 + np.maximum(1 - 0.03 * T, 0.4 - 0.003 * (np.minimum(T, onset) - 20)) + 0.01 * np.maximum(T - onset, 0)
    return {"loss": noisy(TWO_LINES, 0.01, seed=seed), "val_loss": noisy(rises, 0.01, seed=1000 + seed)}


def test_three_planted_phases_are_found_with_their_epochs():
    result = training_phases(planted())
    assert result.determined
    assert result.rapid == (0, result.slow[0] - 1)
    assert result.slow[1] == result.overfitting[0] - 1
    assert result.overfitting == (overfitting(planted()).onset, 99)
    assert result.slow[0] == pytest.approx(20, abs=2)
    assert result.overfitting[0] == pytest.approx(60, abs=6)
    assert result.rapid_slope == pytest.approx(-0.03, rel=0.1)
    assert result.slow_slope == pytest.approx(-0.003, abs=0.0005)
    assert [result.phase(epoch) for epoch in (0, 40, 99, 100)] == ["rapid", "slow", "overfitting", None]


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_the_turn_is_dated_within_epochs(phi):
    found = [training_phases({"loss": noisy(TWO_LINES, 0.03, phi, seed)}) for seed in range(40)]
    turns = np.array([result.slow[0] for result in found])
    assert abs(np.median(turns) - 20) <= 1
    assert np.abs(turns - 20).max() <= 5


@pytest.mark.parametrize(("times", "turn"), [(5, 1.4), (10, 1.8), (20, 1.9), (50, 2.0)])
def test_the_turn_of_an_exponential_is_as_stated(times, turn):
    t = np.arange(1000.0)
    result = training_phases({"loss": np.exp(-times * t / 1000)})
    assert result.slow[0] * times / 1000 == pytest.approx(turn, abs=0.1)


def test_an_even_descent_never_slows():
    result = training_phases({"loss": noisy(1 - 0.01 * T)})
    assert (result.rapid, result.slow, result.overfitting) == ((0, 99), None, None)
    assert result.rapid_slope == pytest.approx(-0.01, rel=0.1)
    assert "slow descent   none: it never slows" in str(result)


def test_overfitting_before_the_turn_leaves_no_slow_phase():
    rises = 0.3 + np.maximum(1 - 0.04 * T, 0.8) + 0.02 * np.maximum(T - 8, 0)
    result = training_phases({"loss": noisy(np.maximum(1 - 0.01 * T, 0.3), 0.005), "val_loss": noisy(rises, 0.005)})
    assert result.slow is None
    assert result.rapid == (0, result.overfitting[0] - 1)
    assert "slow descent   none: it overfits before it slows" in str(result)


SHAPES = {"level": np.full(100, 0.4), "even": 1 - 0.005 * T}


@pytest.mark.parametrize("name", SHAPES)
def test_noise_is_seldom_taken_for_a_slow_phase(name):
    curves = [noisy(SHAPES[name], 0.05, phi, seed) for phi in (0.0, 0.5) for seed in range(100)]
    found = sum(training_phases({"loss": curve}).slow is not None for curve in curves)
    assert binomtest(found, 200).proportion_ci(method="wilson").high < 0.05


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (TWO_LINES[:19], "19 of the 20 epochs that it needs"),
        (np.full(100, np.nan), "0 of the 20 epochs that it needs"),
        (np.full(100, 0.5), "the loss never changed"),
        (noisy(np.full(100, 0.5)), "the loss does not fall by more than its noise"),
        (noisy(TWO_LINES + 0.01 * np.maximum(T - 20, 0)), "the loss rises again from epoch 2"),
        (noisy(np.exp(-T / 100), 0.2), "its noise hides whether the descent slowed"),
    ],
)
def test_what_is_not_told_says_why(loss, reason):
    result = training_phases({"loss": loss})
    assert not result.determined
    assert result.reason.startswith(reason)
    assert (result.rapid, result.slow, result.phase(5)) == (None, None, None)
    lines = str(result).splitlines()
    assert lines[0].startswith(f"rapid descent  undetermined: {reason}")
    assert lines[1].startswith(f"slow descent   undetermined: {reason}")


def test_without_validation_only_overfitting_is_undetermined():
    result = training_phases({"loss": noisy(TWO_LINES)})
    assert result.determined
    assert (result.overfitting, result.onset.determined) == (None, False)
    assert str(result).splitlines()[2] == "overfitting    undetermined: no validation loss"
    alone = training_phases({"val_loss": noisy(TWO_LINES)})
    assert (alone.watched, alone.slow[1]) == ("val_loss", 99)


def test_phases_are_keys_and_a_run_has_them(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch, (loss, val_loss) in enumerate(zip(*planted().values(), strict=True)):
        writer.log_epoch(epoch, {"loss": loss, "val_loss": val_loss})
    writer.finish()
    result = training_phases(tmp_path / "run")
    assert result["slow"] == result.slow == training_phases(planted()).slow
    assert list(result.as_dict())[:3] == ["rapid", "slow", "overfitting"]


def test_gaps_and_nan_keep_the_epochs():
    loss = noisy(TWO_LINES)
    loss[[0, 50]] = np.nan
    assert training_phases({"loss": loss}).slow[0] == pytest.approx(20, abs=2)
    apart = training_phases({"loss": noisy(TWO_LINES), "epoch": list(range(5, 105))})
    assert apart.rapid[0] == 5
    assert apart.slow[0] == training_phases({"loss": noisy(TWO_LINES)}).slow[0] + 5


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"`slow` must lie between 0 and 1, .* Received: slow=1\."):
        training_phases(planted(), slow=1)
    with pytest.raises(ValueError, match="'loss' was not logged in history"):
        training_phases({"val_jaccard": [0.1, 0.2]})


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_phases_end_with_the_last_loss_that_is_a_number(broken):
    loss = np.exp(-np.arange(80) / 8) + 0.01 * np.random.default_rng(0).normal(size=80)
    loss[60:] = broken
    found = training_phases({"loss": loss})
    assert found.slow is not None
    assert found.slow[1] == 59


def test_undetermined_phases_are_neither_true_nor_false():
    with pytest.raises(ValueError, match="`TrainingPhases` is undetermined, neither true nor false: 3 of the 20"):
        bool(training_phases({"loss": [1.0, 2.0, 3.0]}))
