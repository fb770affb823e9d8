"""Epochs of loops of `fit`: what is evidence of one training, and what of another."""

import copy
import pickle

import keras
import numpy as np
import pytest

from unetdyn.callbacks import BatchMonitor, GradientMonitor, LiveDashboard, StabilityMonitor
from unetdyn.callbacks.epoch_count import EpochCount

X = np.linspace(0, 1, 8).reshape(8, 1)


def make_model(optimizer=None):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mse")
    return model


def train(model):
    """What a `fit` leaves, at no cost: other weights, and an optimizer that has taken a step."""
    model.set_weights([weights + 1 for weights in model.get_weights()])
    model.optimizer.iterations.assign_add(1)


def test_loop_of_fits_is_one_training():
    """What ten calls of `fit(epochs=1)` leave is what one `fit(epochs=10)` does, of the same model and data."""
    left = {}
    for calls in (1, 6):
        keras.utils.set_random_seed(3)
        stability, gradient = StabilityMonitor(window=4), GradientMonitor()
        dashboard = LiveDashboard(where="notebook", every_seconds=1e9)
        dashboard._show = lambda: None
        batch = BatchMonitor()
        model, own = make_model(), [stability, gradient, batch, dashboard]
        for _ in range(calls):
            history = model.fit(
                X, X, validation_data=(X, X), epochs=6 // calls, shuffle=False, verbose=0, callbacks=own
            )
        assert history.history["stability"][-1] == stability.result.sigma
        assert batch.record["epoch"].tolist() == list(range(6))
        left[calls] = (stability, gradient, dashboard)
    (one, whole, shown), (several, parts, pieces) = left.values()
    assert several.result.sigma == pytest.approx(one.result.sigma, rel=1e-5)
    for name, values in one.record.items():
        np.testing.assert_allclose(several.record[name], values, rtol=1e-5)
    assert parts.record["epoch"].tolist() == whole.record["epoch"].tolist() == list(range(6))
    np.testing.assert_array_equal(parts.record["step"], whole.record["step"])
    assert pieces.curves.epochs == shown.curves.epochs == 6
    assert pieces._line(5, {"loss": 0.5}).startswith("epoch 6/6  loss 0.5")


def test_new_monitors_for_each_fold_are_right():
    """Folds of a cross-validation, each from the same weights, are no loop of fits of one training."""
    model = make_model()
    first = model.get_weights()
    for _ in range(4):
        model.set_weights(first)
        monitor = StabilityMonitor()
        monitor.set_model(model)
        monitor.set_params({"epochs": 1})
        monitor.on_epoch_begin(0)
        assert monitor.findings == []
        train(model)


def test_weights_that_are_the_first_again_begin_another_training():
    """The folds of a cross-validation, with one model and one optimizer."""
    model, count = make_model(), EpochCount()
    first = model.get_weights()
    for fold in range(3):
        for repeat in range(2):
            begun = count.begin(0, model, {})
            assert (begun, count.epoch) == ("on" if repeat else "anew", repeat)
            train(model)
        assert count.reason == ""
        model.set_weights(first)
        if fold:
            assert count.epochs == 2
    count.begin(0, model, {})
    assert count.reason == "the model has the weights with which that training began"


def test_another_model_and_another_optimizer_begin_another_training():
    model, count = make_model(), EpochCount()
    count.begin(0, model, {})
    train(model)
    assert count.begin(0, make_model(), {}) == "anew"
    assert count.reason == "this is another model"
    assert count.begin(0, model, {}) == "anew"
    train(model)
    model.compile(keras.optimizers.Adam(), "mse")
    assert count.begin(0, model, {}) == "anew"
    assert count.reason == "the model was compiled anew"
    train(model)
    model.compile(model.optimizer, "mae")  # with the same optimizer, whose steps it has
    assert count.begin(0, model, {}) == "on"


def test_initial_epoch_says_itself_where_a_fit_goes_on():
    model, count = make_model(), EpochCount()
    for _ in range(3):
        count.begin(0, model, {"epochs": 1})
        train(model)
    assert (count.epoch, count.planned({"epochs": 1})) == (2, 3)
    params = {"epochs": 5}
    assert [(count.begin(epoch, model, params), count.epoch) for epoch in (3, 4)] == [("within", 3), ("within", 4)]
    assert count.planned(params) == 5
    assert count.begin(0, model, {}) == "on"
    assert count.epoch == 5


def test_hooks_called_by_hand_begin_anew_with_epoch_zero():
    count = EpochCount()
    assert [count.begin(epoch, None) for epoch in (0, 1, 0)] == ["anew", "within", "anew"]


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda count: pickle.loads(pickle.dumps(count))])
def test_copy_of_a_count_belongs_to_no_training(make):
    model, count = make_model(), EpochCount()
    count.begin(0, model, {})
    train(model)
    copied = make(count)
    assert (copied.begin(0, model, {}), copied.epoch) == ("anew", 0)
    assert count.begin(0, model, {}) == "on"


def test_weights_that_cannot_be_read_are_no_evidence(monkeypatch):
    model, count = make_model(), EpochCount()

    def refuse(variable):
        raise TypeError("MirroredVariable")

    with monkeypatch.context() as patched:
        patched.setattr("unetdyn.callbacks.weights_seen.keras.ops.convert_to_numpy", refuse)
        count.begin(0, model, {})
    train(model)
    assert count.begin(0, model, {}) == "on"


def test_new_monitors_in_each_fit_of_a_loop_are_told_so_once():
    model = make_model()

    def begin():
        params = {"epochs": 1}
        for monitor in (StabilityMonitor(), StabilityMonitor()):  # one more in a `Watch`, say
            monitor.set_model(model)
            monitor.set_params(params)
            monitor.on_epoch_begin(0)
        train(model)

    begin()
    begin()
    with pytest.warns(UserWarning, match=r"In a loop of `fit`, pass the same object to all\.") as caught:
        begin()
    assert [warning.category for warning in caught].count(UserWarning) == 1
    begin()


def resumed(count, model, params=None):
    """As another process has it, which has made the same model anew."""
    other = EpochCount()
    other.set_state(count.get_state(), model, params)
    return other


@pytest.mark.parametrize("told", [True, False])
def test_resumed_fit_counts_on_as_the_one_that_was_killed(told):
    """The third `fit` of two epochs in a loop is killed after its first, or within it."""
    model, count, fits = make_model(), EpochCount(), [{"epochs": 2} for _ in range(4)]
    for params in fits[:2]:
        count.begin(0, model, params)
        count.begin(1, model, params)
        train(model)
    count.begin(0, model, fits[2])
    again = {"epochs": 2}
    for unfinished in (False, True):
        other = resumed(count, model, again if told else None)
        if unfinished:
            assert other.begin(0, model, again) == "within"
            assert (other.epoch, other.epochs, other.planned(again)) == (4, 5, 6)
            other.set_state(count.get_state(), model, again if told else None)  # in the midst of it, once more
        assert other.begin(1, model, again) == "within"
        assert (other.epoch, other.epochs, other.planned(again)) == (5, 6, 6)
        train(model)
        assert other.begin(0, model, fits[3]) == "on"
        assert (other.epoch, other.shift, other.planned(fits[3])) == (6, 6, 8)


def test_resumed_fit_without_an_epoch_left_is_followed_by_the_next():
    """Of a loop of `fit(epochs=1)`, killed after an epoch's end."""
    model, count, fits = make_model(), EpochCount(), [{"epochs": 1} for _ in range(3)]
    for params in fits[:2]:
        count.begin(0, model, params)
        train(model)
    other = resumed(count, model, fits[1])
    assert (other.begin(0, model, fits[2]), other.epoch, other.epochs) == ("on", 2, 3)


def test_resumed_count_knows_another_training_as_the_killed_one_does():
    model, count = make_model(), EpochCount()
    first = model.get_weights()
    count.begin(0, model, {})
    train(model)
    again = {}
    other = resumed(count, model, again)
    other.begin(1, model, again)
    model.set_weights(first)
    assert other.begin(0, model, {}) == "anew"
    assert "the weights with which that training began" in other.reason


def test_state_of_a_count_that_has_not_begun_changes_nothing():
    model, params = make_model(), {}
    other = resumed(EpochCount(), model, params)
    assert (other.begin(0, model, params), other.epoch, other.epochs) == ("anew", 0, 1)
