"""The functions of one series take a curve with its epochs, and refuse a whole history with a sentence."""

import types

import numpy as np
import pytest

from unetdyn.analysis import (
    Curve,
    collapses,
    converged_by_change,
    converged_by_slope,
    double_descent,
    fit_convergence,
    oscillation,
    read_history,
    sliding_stability,
    stability,
)

OF_EPOCHS = [collapses, converged_by_change, converged_by_slope, double_descent, oscillation, fit_convergence]
EPOCHS = 3 * np.arange(40) + 2
VALUES = 0.8 - 0.7 * np.exp(-np.arange(40) / 8) + 0.01 * np.random.default_rng(0).normal(size=40)
VALUES[25] = 0.01


@pytest.mark.parametrize("function", OF_EPOCHS)
def test_a_curve_brings_its_epochs(function):
    found = str(function(Curve(EPOCHS, VALUES)))
    assert found == str(function(VALUES, epochs=EPOCHS))
    assert str(function(Curve(EPOCHS, VALUES), epochs=np.arange(40))) == str(function(VALUES))


def test_stability_takes_a_curve():
    assert stability(Curve(EPOCHS, VALUES)) == stability(VALUES)
    np.testing.assert_array_equal(sliding_stability(Curve(EPOCHS, VALUES)), sliding_stability(VALUES))


@pytest.mark.parametrize("function", [*OF_EPOCHS, stability, sliding_stability])
def test_a_whole_history_is_refused_with_the_way_out(function):
    logs = {"val_loss": VALUES.tolist()}
    for history in (logs, types.SimpleNamespace(history=logs), read_history(logs), "log.csv"):
        text = r"`values` must be one curve: of a history take `read_history\(history\)\[\"val_loss\"\]`. Received: "
        with pytest.raises(TypeError, match=text + type(history).__name__):
            function(history)


@pytest.mark.parametrize("function", OF_EPOCHS[:-1])
def test_epochs_between_whole_numbers_are_refused(function):
    with pytest.raises(ValueError, match=r"`epochs` must be whole numbers, .* Received: \[0.0, 0.5\]"):
        function([0.1, 0.2], epochs=[0, 0.5])
