"""Steps are counted as Keras takes them."""

import keras
import numpy as np
import pytest

from rates import rates
from unetdyn import schedules
from unetdyn.schedules import count_steps


def test_count_steps_counts_the_last_batch_and_fractions_of_epochs():
    assert [count_steps(epochs, 100, 8) for epochs in (1, 2.5, 0.01)] == [13, 32, 1]


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"images": 0}, {"batch_size": 0.5}])
def test_count_steps_refuses(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"`{name}` must be a .* Received: {name}={wrong[name]}"):
        count_steps(**{"epochs": 1, "images": 10, "batch_size": 2} | wrong)


@pytest.mark.parametrize("epochs", [1e9, 1e308])
def test_count_steps_refuses_more_than_int32_holds(epochs):
    with pytest.raises(ValueError, match=r"`epochs` must come to at most 2147483647 steps.*of 13 steps each"):
        count_steps(epochs, 100, 8)


MADE = {
    "OneCycle": schedules.OneCycle(1.0, 60, three_phase=True),
    "CosineRestarts": schedules.CosineRestarts(1.0, 7),
    "CosineRestarts of one length": schedules.CosineRestarts(1.0, 7, multiplier=1),
    "InversePowerDecay": schedules.InversePowerDecay(1.0, 0.1),
    "StepDecay": schedules.StepDecay(1.0, 7, 0.5),
    "Warmup": schedules.Warmup(schedules.CosineRestarts(1.0, 7), 10),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_schedules_take_many_steps_at_once(made):
    together = keras.ops.convert_to_numpy(made(np.arange(70)))
    np.testing.assert_allclose(together, [float(made(step)) for step in range(70)], atol=1.2e-7)
    assert tuple(made(3).shape) == ()


@pytest.mark.parametrize("most", [2**31 - 1, 2**30])
def test_schedules_as_long_as_int32_holds_are_computed(most):
    longest = [schedules.OneCycle(1.0, most), schedules.StepDecay(1.0, most), schedules.Warmup(1.0, most)]
    for made in [*longest, schedules.CosineRestarts(1.0, most, most), schedules.cosine(1.0, most)]:
        assert 0 <= rates(made, [most // 2])[0] <= 1
