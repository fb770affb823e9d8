"""SettableNumber: what the step reads is what was set last, before it was built and after."""

import keras
import pytest

from unetdyn.dynamics.settable_number import SettableNumber


def variable(initial):
    return keras.Variable(initial, trainable=False)


def test_number_is_what_was_set_last():
    number = SettableNumber(3)
    number.value = 2
    number.build(variable)
    assert float(number.in_step) == number.value == 2.0
    number.value = 0.25
    assert float(number.in_step) == number.value == 0.25
    number.build(variable)  # as in a further fit
    assert float(number.in_step) == 0.25


def test_number_that_no_step_has_is_not_read():
    with pytest.raises(AssertionError, match="it was built"):
        _ = SettableNumber(1.0).in_step
