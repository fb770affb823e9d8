"""`fit_convergence` on planted curves: does the interval cover the truth, and is it said where a history can't tell?"""

import dataclasses
import math
import re
import types

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.signal import lfilter

from unetdyn.analysis import ConvergenceFit, fit_convergence, read_history


def noise(count, n, sigma, phi=0.0, seed=0):
    white = np.random.default_rng(seed).normal(0, sigma * np.sqrt(1 - phi**2), (count, n + 100))
    return lfilter([1.0], [1.0, -phi], white)[:, 100:]


def exponential(n, asymptote=0.8, start=0.1, rate=0.1):
    return asymptote - (asymptote - start) * np.exp(-rate * np.arange(n))


def power_law(n, asymptote=0.3, amplitude=-0.7, exponent=1.0):
    return asymptote - amplitude * (np.arange(n) + 1.0) ** -exponent


def covered(found, attribute, truth):
    return np.mean([low <= truth <= high for low, high in (getattr(result, attribute) for result in found)])


PLANTED = [
    (exponential(30, rate=0.25), 0.8, 30 * math.log(0.7 / 0.008) / 7.5, 0.02, "exponential", 0.8),
    (exponential(60, 0.3, 1.0, 0.1), 0.3, math.log(0.7 / 0.003) / 0.1, 0.03, "exponential", 0.8),
    (exponential(100, rate=0.04), 0.8, math.log(0.7 / 0.008) / 0.04, 0.005, "exponential", 0.98),
    # A power law goes on so slowly that a fit from its head, though right, often doesn't beat the last value.
    (power_law(60), 0.3, 0.7 / 0.003 - 1, 0.01, "power law", 0.7),
    (power_law(100, 0.8, 0.7, 0.7), 0.8, (0.7 / 0.008) ** (1 / 0.7) - 1, 0.01, "power law", 0.6),
]


@pytest.mark.parametrize("phi", [0.0, 0.5])
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted[4]}, {len(planted[0])} epochs")
def test_intervals_cover_what_was_planted(planted, phi):
    curve, asymptote, reached, sigma, model, least_determined = planted
    found = fit_convergence(curve + noise(300, len(curve), sigma, phi, seed=7), draws=400)
    # 92 to 98 % are wanted; with 300 draws, the share itself has a standard error of 1.3 %.
    assert 0.90 <= covered(found, "asymptote_interval", asymptote) <= 0.995
    assert 0.90 <= covered(found, "epochs_to_within_interval", reached) <= 0.995
    assert np.mean([result.determined for result in found]) > least_determined
    assert np.mean([result.model == model for result in found]) > 0.95


@pytest.mark.parametrize(
    "curve", [exponential(30, rate=0.01), exponential(60, rate=0.3 / 60), power_law(60, exponent=0.1)]
)
def test_a_curve_that_was_stopped_too_early_is_undetermined(curve):
    found = fit_convergence(curve + noise(100, len(curve), 0.03 * np.ptp(curve)), draws=200)
    assert np.mean([result.determined for result in found]) < 0.03


def test_an_asymptote_far_beyond_the_values_is_undetermined():
    curve = exponential(60, rate=1 / 60)  # ends after 63 % of the way
    result = fit_convergence(curve + noise(1, 60, 0.005)[0])
    assert result.reason.startswith("the interval, 0.7")
    assert "reaches more than a fifth of their range beyond the values, 0.1" in result.reason
    assert not result.determined


X = np.arange(60) / 60


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (0.3 + 0.7 * np.exp(-12 * X) + 0.4 * np.maximum(X - 0.3, 0), "none of the models has their shape"),
        (0.6 - 0.5 * np.exp(-12 * X) + 0.15 * (X > 0.6), "is wider than the range of the values"),
        (0.1 + 0.7 / (1 + np.exp(-12 * (X - 0.6))), "is wider than the range of the values"),
    ],
    ids=["overfitting", "learning rate dropped", "sigmoid"],
)
def test_a_curve_of_another_shape_is_undetermined(curve, reason):
    found = fit_convergence(curve + noise(40, 60, 0.01), draws=200)
    assert not any(result.determined for result in found)
    assert np.mean([reason in result.reason for result in found]) > 0.9


def test_a_fit_that_loses_to_the_last_value_is_undetermined():
    values = 0.3 + 0.7 * np.exp(-12 * X) + 0.4 * np.maximum(X - 0.3, 0) + noise(60, 60, 0.1)
    losers = [result for result in fit_convergence(values, draws=100) if result.held_out.worse]
    assert losers
    assert not any(result.determined for result in losers)
    text = "the last value predicts the last fifth of the epochs better than the fit to the earlier ones does"
    assert text in {result.reason for result in losers}


@pytest.mark.parametrize("n", [30, 40])
def test_a_late_take_off_is_undetermined_where_the_last_value_predicts_it_better(n):
    found = fit_convergence(0.75 / (1 + np.exp(4 - np.arange(n))) + noise(60, n, 0.01), draws=200)
    assert np.mean([result.determined for result in found]) < 0.15
    text = "last fifth predicted  better by the last value: RMS error "
    assert all(text in str(result) for result in found if not result.held_out.beaten)


def test_an_asymptote_away_from_the_last_values_must_beat_them():
    values = power_law(60, exponent=0.7) + noise(150, 60, 0.01)
    reasons = [result.reason for result in fit_convergence(values, draws=200) if not result.held_out.beaten]
    pattern = (
        r"the interval, 0\.[0-9]+ to 0\.[0-9]+, leaves out the level of the last values, 0\.3[0-9]* to 0\.[34][0-9]*, "
        "though they predict the last fifth of the epochs no worse than the fit to the earlier ones does"
    )
    assert sum(bool(re.fullmatch(pattern, reason)) for reason in reasons) > 10


def test_what_is_determined_beats_the_last_value_or_agrees_with_it():
    for curve in (exponential(60, rate=0.2), power_law(60), 0.75 / (1 + np.exp(4 - np.arange(60)))):
        values = curve + noise(100, 60, 0.01, seed=1)
        for row, result in zip(values, fit_convergence(values, draws=200), strict=True):
            if result.determined and not result.held_out.beaten:
                assert result.held_out.fit_error <= 1.25 * result.held_out.last_value_error + 1e-5
                phi, spread = result.autocorrelation, np.std(row - result.predict(np.arange(60)))
                allowed = 1.96 * spread * np.sqrt((1 + phi) / (1 - phi) / 6)
                low, high = result.asymptote_interval
                assert low - allowed <= row[-6:].mean() + 1e-6
                assert row[-6:].mean() - 1e-6 <= high + allowed


def test_one_level_is_the_last_value():
    found = fit_convergence(0.5 + noise(100, 60, 0.02), draws=300)
    level = [result for result in found if result.model == "last value"]
    assert len(level) > 80
    assert all(result.params == {"J_inf": result.asymptote} for result in level)
    assert all(abs(result.asymptote - 0.5) < 0.015 for result in level)  # 5 standard errors
    assert all(result.epochs_to_within == 0 for result in level)
    assert covered(found, "asymptote_interval", 0.5) > 0.9


@pytest.mark.parametrize(("curve", "names"), [(exponential(50), ["J_0", "lambda"]), (power_law(50), ["C", "beta"])])
def test_params_are_those_of_the_formula_and_predict_follows_them(curve, names):
    result = fit_convergence(curve)  # without noise: what was planted comes back
    assert result.determined
    assert list(result.params) == ["J_inf", *names]
    expected = {"J_inf": 0.8, "J_0": 0.1, "lambda": 0.1} if "lambda" in names else {"J_inf": 0.3, "C": -0.7, "beta": 1}
    assert result.params == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(result.predict(np.arange(50)), curve, atol=1e-7)
    np.testing.assert_allclose(result.predict([[1e9]]), [[result.asymptote]], atol=1e-6)
    assert sum(result.weights.values()) == pytest.approx(1)
    assert result.weights[result.model] > 0.999


def test_a_percent_of_an_asymptote_that_may_be_zero_is_reached_late_or_never():
    falling = fit_convergence(exponential(60, 0.0, 1.0, 0.2) + noise(1, 60, 0.01)[0])
    assert falling.epochs_to_within_interval[1] > 40  # the interval of J∞ holds 0


def test_epochs_to_within_does_not_depend_on_where_counting_starts_for_an_exponential():
    values = exponential(40, rate=0.15) + noise(1, 40, 0.01)[0]
    first = fit_convergence(values)
    later = fit_convergence(values, epochs=np.arange(100, 140))
    assert later.params == pytest.approx(first.params, rel=1e-6)
    assert later.epochs_to_within == pytest.approx(first.epochs_to_within + 100, abs=1e-3)
    np.testing.assert_allclose(later.predict([100, 139]), first.predict([0, 39]), rtol=1e-6)


def test_gaps_between_validations_are_allowed_for():
    logged = exponential(90, rate=0.08)[4::5]
    curve = read_history({"loss": [1.0] * 90, "val_jaccard": list(logged)}, validation_freq=5)["val_jaccard"]
    result = fit_convergence(curve)
    assert result.params["lambda"] == pytest.approx(0.08, rel=1e-4)
    assert result.span == (4, 89)
    assert result == fit_convergence(logged, epochs=range(4, 90, 5))
    assert fit_convergence(logged).params["lambda"] == pytest.approx(0.4, rel=1e-4)  # without them


def test_a_history_is_the_same_alone_and_in_company():
    values = exponential(40) + noise(30, 40, 0.02)
    found = fit_convergence(values, draws=5000)  # several portions of memory
    for number in (0, 17, 29):
        alone = fit_convergence(values[number], draws=5000)
        assert alone.model == found[number].model
        assert alone.asymptote == pytest.approx(found[number].asymptote, rel=1e-9)
        assert alone.asymptote_interval == pytest.approx(found[number].asymptote_interval, rel=1e-9)
        assert alone.reason == found[number].reason


def test_the_seed_and_the_confidence_do_what_they_say():
    values = exponential(40) + noise(1, 40, 0.02)[0]
    assert fit_convergence(values) == fit_convergence(values)
    assert fit_convergence(values, seed=1).asymptote_interval != fit_convergence(values).asymptote_interval
    wide, narrow = (np.ptp(fit_convergence(values, confidence=c).asymptote_interval) for c in (0.95, 0.68))
    assert wide / narrow == pytest.approx(1.96, rel=0.25)
    assert fit_convergence(values, within=0.1).epochs_to_within < fit_convergence(values).epochs_to_within


def test_a_hundred_thousand_epochs_are_right():
    values = exponential(100_000, rate=5e-4) + noise(1, 100_000, 0.02)[0]
    result = fit_convergence(values)
    expected, _ = curve_fit(
        lambda t, j, s, r: j - (j - s) * np.exp(-r * t), np.arange(100_000), values, p0=(0.7, 0.2, 1e-3)
    )
    assert list(result.params.values()) == pytest.approx(expected, rel=0.02)
    low, high = result.asymptote_interval
    assert low <= 0.8 <= high
    assert high - low < 0.001
    assert result.span == (0, 99_999)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "it has 0 of the 10 epochs that a fit needs"),
        ([0.5], "it has 1 of the 10 epochs that a fit needs"),
        (list(exponential(9)), "it has 9 of the 10 epochs that a fit needs"),
        ([0.5] * 20, "all of its 20 values are the same"),
        (
            [1e300, -1e300] * 10,
            "its values differ by 1e+300 and more, too little or too much to compute with: give another unit",
        ),
        (
            list(4e-200 * exponential(20, 0.0, 1.0, 1.0)),
            "its values differ by 2e-200 and more, too little or too much to compute with: give another unit",
        ),
        (
            [*exponential(20), math.nan, math.inf],
            "2 of its 22 values are NaN or infinite; leave them out, and give `epochs` for the rest",
        ),
    ],
)
def test_what_can_not_be_fitted_is_undetermined_and_says_why(values, reason):
    result = fit_convergence(values)
    assert isinstance(result, ConvergenceFit)
    assert (result.model, result.determined, result.reason) == (None, False, reason)
    assert math.isnan(result.asymptote)
    assert np.isnan(result.predict([0, 1])).all()
    assert str(result) == f"asymptote  undetermined: {reason}"


def test_ten_epochs_are_enough_where_there_is_little_noise():
    result = fit_convergence(exponential(10, rate=0.8) + noise(1, 10, 0.002)[0])
    assert result.determined
    assert result.asymptote == pytest.approx(0.8, abs=0.01)


def test_bad_rows_of_a_table_leave_the_others_alone():
    values = exponential(30) + noise(3, 30, 0.01)
    values[1, 4] = math.nan
    found = fit_convergence(values)
    assert isinstance(found, tuple)
    assert [result.model for result in found] == ["exponential", None, "exponential"]
    assert fit_convergence(np.zeros((0, 30))) == ()


def test_a_result_shows_itself():
    result = fit_convergence(exponential(80) + noise(1, 80, 0.01)[0])
    lines = str(result).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "asymptote",
        "within 1 % of it",
        "model",
        "parameters",
        "last fifth predicted",
    ]
    assert lines[0].startswith("asymptote             0.8")
    assert "(95 % interval 0.7" in lines[0]
    assert "from epoch 4" in lines[1]
    assert "after the last" not in lines[1]
    assert "exponential (weights: exponential 1.00, power law 0.00, last value 0.00)" in lines[2]
    assert result._repr_html_().startswith("<table>")


def test_an_undetermined_result_says_so_first():
    lines = str(fit_convergence(exponential(30, rate=0.01) + noise(1, 30, 0.005)[0])).splitlines()
    assert lines[0].startswith("asymptote             undetermined: the interval, ")
    assert lines[1].startswith("best guess            ")
    assert ", after the last, 30 (" in lines[2]


def test_what_is_never_reached_is_shown_as_never():
    result = fit_convergence(exponential(30) + noise(1, 30, 0.005)[0])
    never = dataclasses.replace(result, epochs_to_within=math.inf, epochs_to_within_interval=(12.2, math.inf))
    assert "within 1 % of it      never (95 % interval 14 to never)" in str(never)
    far = dataclasses.replace(result, epochs_to_within=3.2e9)
    assert "from epoch 3e+09 on, after the last, 30" in str(far)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"values": 0.5}, r"`values` must be one value an epoch.*\(curves, epochs\). Received: shape \(\)"),
        ({"values": np.zeros((2, 3, 4))}, r"Received: shape \(2, 3, 4\)"),
        ({"epochs": [0, 1]}, r"`epochs` must have a number for each of the 12 values. Received: shape \(2,\)"),
        ({"epochs": [0] * 12}, r"`epochs` must ascend from 0 or later, without repetition. Received: epochs=\[0, 0"),
        ({"epochs": range(-1, 11)}, r"`epochs` must ascend from 0 or later.* Received: epochs=range\(-1, 11\)"),
        ({"confidence": 95}, r"`confidence` must lie between 0 and 1, .* Received: confidence=95"),
        ({"within": 0}, r"`within` must lie between 0 and 1, .* Received: within=0"),
        ({"draws": 20}, r"`draws` must be a whole number of draws, 100 or more. Received: draws=20"),
        ({"draws": 1e3}, r"Received: draws=1000.0"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        fit_convergence(**{"values": exponential(12), **kwargs})


def test_a_history_of_keras_goes_in_through_read_history():
    history = types.SimpleNamespace(history={"loss": list(exponential(40, 0.2, 1.0))}, epoch=list(range(40)))
    name, curve = read_history(history).watched("loss")
    assert name == "loss"
    assert fit_convergence(curve).asymptote == pytest.approx(0.2, abs=1e-6)
