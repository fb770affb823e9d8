"""What a tap knows on the host, taken in the midst of a training and given to one in another process."""

import keras
import numpy as np
import pytest

from tap_models import dense_data, dense_model
from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.noise_scale_probe import ConsecutiveProbe
from unetdyn.dynamics.training_state import copied, put_back, variables_of
from unetdyn.runs.state_tree import decode, encode

STEPS, CUT = 7, 3


class Training:
    """A tap whose ring is read every second step, on a model that is trained step by step."""

    def __init__(self):
        self.model = dense_model()
        self.model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        self.lengths = []
        self.tap = OptimizerTap(
            self.model, ConsecutiveProbe(), capacity=2, on_rows=lambda rows: self.lengths.append(len(rows))
        )

    def steps(self, first, last):
        x, y = dense_data(STEPS * 4)
        for step in range(first, last):
            self.model.train_on_batch(x[4 * step : 4 * step + 4], y[4 * step : 4 * step + 4])
        return self


@pytest.fixture(scope="module")
def cut():
    """A training, and its state in the midst of it."""
    training = Training().steps(0, CUT)
    state = training.tap.get_state()
    return training, decode(*encode(state)), copied(training.model)


@pytest.fixture(scope="module")
def uninterrupted(cut):
    training = cut[0].steps(CUT, STEPS)
    return training, training.tap.read(), copied(training.model)


@pytest.mark.parametrize("variables_first", [True, False])
def test_tap_gives_every_row_once_in_another_process(cut, uninterrupted, variables_first):
    _, state, values = cut
    _, expected, last = uninterrupted
    training = Training()
    if variables_first:
        put_back(training.model, values)
    training.tap.set_state(state)
    training.tap.set_state(state)
    if not variables_first:
        put_back(training.model, values)
    rows = training.steps(CUT, STEPS).tap.read()
    for name, array in vars(expected).items():
        if name != "extra":
            np.testing.assert_array_equal(getattr(rows, name), array, err_msg=name)
    np.testing.assert_array_equal(rows.extra["dot"], expected.extra["dot"])
    assert rows.step.tolist() == list(range(STEPS))
    for place, value in copied(training.model).items():
        np.testing.assert_array_equal(value, last[place], err_msg=place)


def test_listeners_hear_of_rows_when_they_would_have(cut, uninterrupted):
    _, state, values = cut
    training = Training()
    put_back(training.model, values)
    training.tap.set_state(state)
    training.steps(CUT, STEPS).tap.read()
    expected = uninterrupted[0].lengths
    assert sum(expected) == STEPS
    assert training.lengths == expected[-len(training.lengths) :]


def test_state_holds_what_was_taken_and_not_read(cut):
    """The ring of two rows was read before the third step, at the latest."""
    taken = sum(len(numbers) for numbers, _, _ in cut[1]["unread"])
    assert 0 < taken < CUT
    assert cut[1]["ring"]["next"] == taken
    assert all(list(own) == ["dot"] for _, _, own in cut[1]["unread"])


def test_what_taps_carry_is_among_the_variables(cut):
    """The ring, its count, and copies of the gradient of kernel and bias: also where the optimizer has them not."""
    model = cut[0].model
    found = [place for place in variables_of(model) if place.startswith("taps/")]
    count = 3 if keras.config.backend() == "jax" else 4  # on JAX one copy of both
    assert len(found) == count
    assert not any(place.startswith("taps/") for place in variables_of(model, taps=False))
    assert len(variables_of(model)) == len(variables_of(model, taps=False)) + count


def test_weights_go_back_and_the_ring_does_not():
    training = Training().steps(0, 2)
    before = copied(training.model, taps=False)
    training.steps(2, 4)
    put_back(training.model, before)
    for place, value in copied(training.model, taps=False).items():
        np.testing.assert_array_equal(value, before[place])
    assert training.steps(2, 4).tap.read().step.tolist() == [0, 1, 2, 3, 4, 5]


def test_tap_that_is_off_has_rows_and_no_ring():
    training = Training().steps(0, 1)
    training.tap.detach()
    state = training.tap.get_state()
    assert state["ring"] is None
    other = Training()
    other.tap.set_state(state)
    assert len(other.tap.read()) == 1


def test_optimizer_is_built_for_the_ring():
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model)
    tap.set_state({"unread": [], "ring": {"next": 5, "unread": 0, "rows_a_step": None}})
    assert model.optimizer.built
    assert tap.get_state()["ring"]["next"] == 5
