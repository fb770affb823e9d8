"""The running average of improvements against a loop over the epochs."""

import numpy as np
import pytest

from unetdyn.analysis import converged_by_improvement, read_history

T = np.arange(120)
FLAT = 0.2 + 0.8 * np.exp(-T / 8)


def by_hand(values, window, tolerance):
    """After each epoch, whether the improvements of the last `window` epochs are small on average."""
    held = []
    for t in range(len(values)):
        if t < window:
            held.append(False)
            continue
        improvements = []
        for epoch in range(t - window + 1, t + 1):
            best = min(values[:epoch])
            improvements.append(max(best - values[epoch], 0.0))
        held.append(np.mean(improvements) / abs(min(values[: t - window + 1])) < tolerance)
    return held


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("window", [1, 4, 10])
def test_it_holds_where_a_loop_says_so(sigma, window):
    values = FLAT[:60] + sigma * np.random.default_rng(0).standard_normal(60)
    held = by_hand(values, window, 0.002)
    result = converged_by_improvement(values, window=window, tolerance=0.002)
    assert result.first_epoch == (held.index(True) if any(held) else None)
    since = next((t for t in range(60) if all(held[t:])), None)
    assert result.since == since
    assert result.converged == held[-1]


def test_a_flat_loss_converges_a_falling_one_does_not_and_noise_delays_it():
    assert converged_by_improvement(1 - 0.005 * T).verdict == "not converged"
    plain = converged_by_improvement(FLAT)
    # B falls by 1 % of itself in ten epochs: 0.8 e^(−t/8) (e^(10/8) − 1) = 0.01 (0.2 + 0.8 e^(−(t−10)/8)).
    expected = 8 * np.log(0.8 * (np.exp(10 / 8) * 0.99 - 1) / (0.01 * 0.2))
    assert plain.since == np.ceil(expected)
    noisy = converged_by_improvement(FLAT + 0.02 * np.random.default_rng(1).standard_normal(120))
    assert noisy.converged
    assert plain.since <= noisy.since


def test_a_metric_is_turned_over_and_a_rising_loss_improves_nothing():
    up = converged_by_improvement(1 - FLAT, mode="max")
    assert up.improvement == pytest.approx(0, abs=1e-5)
    rising = converged_by_improvement(0.2 + 0.01 * T)
    assert (rising.verdict, rising.improvement) == ("converged", 0.0)
    assert converged_by_improvement(np.zeros(20)).improvement == 0


def test_a_loss_below_zero_is_compared_with_its_size():
    assert converged_by_improvement([-1.0, -2.0], window=1).improvement == 1.0
    assert converged_by_improvement([1.0, 0.5], window=1).improvement == 0.5


def test_the_curve_of_a_history_brings_its_epochs():
    history = {"loss": list(FLAT), "val_loss": list(FLAT[::5])}
    name, curve = read_history(history, validation_freq=5).watched("loss")
    result = converged_by_improvement(curve, window=3, name=name)
    assert (result.watched, result.since % 5) == ("val_loss", 4)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.5] * 10, "10 of the 11 epochs that it needs"),
        ([], "0 of the 11 epochs that it needs"),
        ([0.5] * 20 + [np.nan], "NaN or infinite in 1 of the last 11 epochs"),
    ],
)
def test_too_few_and_broken_values_are_undetermined(values, reason):
    result = converged_by_improvement(values)
    assert (result.verdict, result.reason) == ("undetermined", reason)


def test_nan_before_the_last_window_is_passed_over():
    values = np.r_[FLAT[:5], np.nan, FLAT[5:]]
    assert converged_by_improvement(values).converged


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"mode": "mim"}, r"`mode` must be one of 'min', 'max'. Received: mode='mim'. Did you mean 'min'\?"),
        ({"window": 0}, r"`window` must be a whole number of epochs, 1 or more. Received: window=0"),
        ({"tolerance": 0}, r"`tolerance` must be a finite number above 0. Received: tolerance=0"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        converged_by_improvement(FLAT, **kwargs)
