"""The studies' functions against transcriptions of what their code computes, on histories as Keras leaves them."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from unetdyn._warnings import CodedWarning
from unetdyn.analysis import (
    analyze_training_stability,
    check_convergence,
    classify_stability,
    compute_training_health,
    read_history,
)

LONG, SHORT = 30, 4


def history(epochs=LONG, seed=0, jaccard="jacard_coef"):
    rng = np.random.default_rng(seed)
    fall = np.exp(-np.arange(epochs) / 8)
    return {
        "loss": (0.2 + 0.7 * fall).tolist(),
        "val_loss": (0.3 + 0.7 * fall + 0.03 * rng.normal(size=epochs)).tolist(),
        jaccard: (0.9 - 0.7 * fall).tolist(),
        f"val_{jaccard}": (0.7 - 0.6 * fall + 0.02 * rng.normal(size=epochs)).tolist(),
    }


def their_health(logs):
    score, trained = (np.array(logs[key]) for key in ("val_jacard_coef", "jacard_coef"))
    inner = (score[2:] - score[:-2]) / 2
    last, count = score[-10:], len(score[-10:])
    return {
        "convergence_rate": np.concatenate([[score[1] - score[0]], inner, [score[-1] - score[-2]]]),
        "stability": math.sqrt(((last - last.sum() / count) ** 2).sum() / count),
        "overfitting_gap": trained[-10:].sum() / count - last.sum() / count,
        "efficiency": score.max() / score.tolist().index(score.max()),
        "peak_epoch": score.tolist().index(score.max()),
    }


def their_stability(logs, window):
    loss, score, trained = (np.array(logs[key]) for key in ("val_loss", "val_jacard_coef", "jacard_coef"))
    places = np.flatnonzero(score == score.max())
    sigma = math.sqrt(((loss[-window:] - loss[-window:].mean()) ** 2).mean())
    words = ["Excellent (σ < 0.01)", "Good (0.01 ≤ σ < 0.05)", "Moderate (0.05 ≤ σ < 0.1)", "Poor (σ ≥ 0.1)"]
    return {
        "loss_stability": sigma,
        "jaccard_stability": math.sqrt(((score[-window:] - score[-window:].mean()) ** 2).mean()),
        "convergence_epoch": places[-1],
        "overfitting_gap": (trained[-window:] - score[-window:]).mean(),
        "learning_efficiency": score.max() / (places[0] + 1),
        "final_performance": score[-1],
        "peak_performance": score.max(),
        "stability_classification": words[sum(sigma >= bound for bound in (0.01, 0.05, 0.1))],
    }


def assert_same(found, expected):
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-9)), key


@pytest.mark.parametrize("epochs", [LONG, SHORT])
@pytest.mark.parametrize("seed", range(3))
def test_health_is_what_their_code_computes(seed, epochs):
    logs = history(epochs, seed)
    found = compute_training_health(logs)
    assert_same(found, their_health(logs))
    assert isinstance(found, dict)
    assert isinstance(found["convergence_rate"], np.ndarray)
    assert found["convergence_rate"].shape == (epochs,)


def test_health_needs_no_loss_and_takes_a_history_object():
    logs = {key: values for key, values in history().items() if "jacard" in key}
    assert_same(compute_training_health(SimpleNamespace(history=logs)), their_health(logs))


@pytest.mark.parametrize("window", [2, 7, 10])
@pytest.mark.parametrize(("epochs", "seed"), [(LONG, 0), (LONG, 1), (SHORT, 2)])
def test_stability_is_what_their_code_computes(window, epochs, seed):
    logs = history(epochs, seed)
    assert_same(analyze_training_stability(SimpleNamespace(history=logs), window), their_stability(logs, window))


def test_the_last_of_several_maxima_is_the_convergence_epoch_and_the_first_the_peak():
    logs = history(6) | {"val_jacard_coef": [0.1, 0.5, 0.2, 0.5, 0.5, 0.4]}
    found = analyze_training_stability(logs, window_size=3)
    assert (found["convergence_epoch"], found["learning_efficiency"]) == (4, 0.25)
    assert_same(found, their_stability(logs, 3))
    assert compute_training_health(logs)["peak_epoch"] == 1


def test_our_metric_of_another_name_serves_as_well():
    theirs, ours = history(), history(jaccard="jaccard")
    assert analyze_training_stability(ours) == analyze_training_stability(theirs)
    assert check_convergence(ours) == check_convergence(theirs)
    both = theirs | {"dice": [0.1] * LONG, "val_dice": [0.1] * LONG}
    with pytest.warns(CodedWarning):
        assert compute_training_health(both, metric="dice")["stability"] == pytest.approx(0)


def test_first_epoch_as_the_best_has_an_infinite_efficiency_and_a_word():
    logs = {"jacard_coef": [0.5, 0.5, 0.5], "val_jacard_coef": [0.5, 0.4, 0.3]}
    with pytest.warns(CodedWarning, match="`efficiency` is not finite: .* `learning_efficiency`") as caught:
        found = compute_training_health(logs)
    assert (found["efficiency"], found["peak_epoch"]) == (math.inf, 0)
    assert caught[0].message.code == "health.first_epoch_is_best"
    assert caught[0].filename == __file__
    with pytest.warns(CodedWarning):
        assert math.isnan(compute_training_health({key: [0.0, 0.0] for key in logs})["efficiency"])


def test_one_epoch_has_no_rate():
    with pytest.warns(CodedWarning):
        rate = compute_training_health({"jacard_coef": [0.5], "val_jacard_coef": [0.5]})["convergence_rate"]
    np.testing.assert_array_equal(rate, [math.nan])


def test_epochs_are_places_in_what_was_logged():
    """As in the studies' code, which knows lists only; whether validation was left out, or the training carried on."""
    logs = {"jacard_coef": [0.1] * 12, "val_jacard_coef": [0.02, 0.08, 0.20, 0.14]}
    found = compute_training_health(read_history(logs, validation_freq=3))
    assert found["peak_epoch"] == 2
    assert found["convergence_rate"] == pytest.approx(np.gradient(logs["val_jacard_coef"]))
    later = analyze_training_stability(
        {"epoch": [5, 6, 7], "val_loss": [3.0, 2.0, 1.0], "jacard_coef": [0.1] * 3, "val_jacard_coef": [0.1, 0.4, 0.4]}
    )
    assert (later["convergence_epoch"], later["learning_efficiency"]) == (2, pytest.approx(0.2))


def test_jacard_coef_is_taken_before_any_other_and_nothing_else_by_itself():
    logs = {"jaccard": [0.9, 0.9], "val_jaccard": [0.8, 0.9], "jacard_coef": [0.1, 0.2], "val_jacard_coef": [0.1, 0.2]}
    assert compute_training_health(logs)["efficiency"] == pytest.approx(0.2)
    assert compute_training_health(logs, metric="jaccard")["efficiency"] == pytest.approx(0.9)
    accurate = {"val_loss": [0.3] * 10, "accuracy": [0.9] * 10, "val_accuracy": [0.9] * 10}
    with pytest.raises(ValueError, match=r"no Jaccard was logged in history, which has .*val_accuracy: compile with"):
        check_convergence(accurate)
    assert check_convergence(accurate, metric="accuracy") is True


def test_nan_has_no_sigma_and_hides_no_peak():
    logs = history()
    logs["val_jacard_coef"][-2] = logs["val_loss"][-2] = math.nan
    found, health = analyze_training_stability(logs), compute_training_health(logs)
    assert math.isnan(found["loss_stability"])
    assert found["stability_classification"] == "Poor (σ ≥ 0.1)"
    assert math.isnan(health["stability"])
    assert math.isnan(health["overfitting_gap"])
    assert health["peak_epoch"] == int(np.nanargmax(logs["val_jacard_coef"]))
    assert check_convergence(logs) is False


@pytest.mark.parametrize("loss_sigma", [0.049, 0.051])
@pytest.mark.parametrize("score_sigma", [0.0099, 0.0101])
def test_convergence_asks_for_both_sigmas_divided_by_n(loss_sigma, score_sigma):
    """Half the values one σ above, half one below: `numpy.std` is σ; that of a sample 5 % more, above both bounds."""
    sides = np.array([-1.0, 1.0] * 5)
    logs = {"val_loss": 0.3 + loss_sigma * sides, "val_jacard_coef": 0.9 + score_sigma * sides}
    assert check_convergence(logs) is (loss_sigma < 0.05 and score_sigma < 0.01)


@pytest.mark.parametrize(("epochs", "window", "expected"), [(9, 10, False), (10, 10, True), (9, 5, True)])
def test_convergence_needs_a_whole_window(epochs, window, expected):
    logs = {"val_loss": [0.3] * epochs, "val_jacard_coef": [0.9] * epochs}
    assert check_convergence(logs, window=window) is expected


@pytest.mark.parametrize(
    ("sigma", "five", "four"),
    [
        (0.0, "Excellent (σ < 0.01)", "Excellent (σ < 0.01)"),
        (0.01, "Good (0.01 ≤ σ < 0.05)", "Good (0.01 ≤ σ < 0.05)"),
        (0.0819, "Moderate (0.05 ≤ σ < 0.1)", "Moderate (0.05 ≤ σ < 0.1)"),
        (0.3186, "Poor (0.1 ≤ σ < 0.5)", "Poor (σ ≥ 0.1)"),
        (1.351, "Very poor (σ ≥ 0.5)", "Poor (σ ≥ 0.1)"),
        (math.nan, "Very poor (σ ≥ 0.5)", "Poor (σ ≥ 0.1)"),
    ],
)
def test_both_tables_of_classes(sigma, five, four):
    """The studies' own σ."""
    assert (classify_stability(sigma), classify_stability(sigma, scheme=4)) == (five, four)


def test_five_classes_on_request():
    logs = {key: [0.0, 1.0] * 5 for key in history()}
    assert analyze_training_stability(logs, scheme=5)["stability_classification"] == "Very poor (σ ≥ 0.5)"


LOGS = history()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: classify_stability(0.1, scheme=3), "`scheme` must be one of 5, 4. Received: scheme=3."),
        (lambda: classify_stability(-0.1), "`stability_value` is a standard deviation and must be 0 or more."),
        (
            lambda: analyze_training_stability(LOGS, 1),
            "`window_size` must be a whole number of epochs, 2 or more. Received: window_size=1",
        ),
        (lambda: check_convergence(LOGS, 1), "`window` must be a whole number of epochs, 2 or more."),
        (lambda: check_convergence({"val_jacard_coef": [0.5]}), "'val_loss' was not logged in history"),
        (lambda: compute_training_health({"val_jacard_coef": [0.5]}), "'jacard_coef' was not logged in history"),
        (lambda: compute_training_health({"jacard_coef": [0.5]}), "'val_jacard_coef' was not logged in history"),
        (
            lambda: compute_training_health({"loss": [0.5]}),
            "no Jaccard was logged in history, which has loss: compile with",
        ),
        (lambda: compute_training_health(LOGS, metric="loss"), "`metric` must be one of which more is better"),
        (
            lambda: compute_training_health({"jaccard": [math.nan], "val_jaccard": [math.nan]}),
            "the validation Jaccard must have a finite value, or it has no peak. Received: [nan].",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        call()
