"""Steps are counted as Keras takes them."""

import pytest

from unetdyn.schedules import count_steps


def test_count_steps_counts_the_last_batch_and_fractions_of_epochs():
    assert [count_steps(epochs, 100, 8) for epochs in (1, 2.5, 0.01)] == [13, 32, 1]


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"images": 0}, {"batch_size": 0.5}])
def test_count_steps_refuses(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"`{name}` must be a .* Received: {name}={wrong[name]}"):
        count_steps(**{"epochs": 1, "images": 10, "batch_size": 2} | wrong)
