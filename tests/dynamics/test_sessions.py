"""Which training a call comes from: what goes on is watched, what broke off is left, and who is taken off says so."""

import gc
import sys
import threading

import keras
import numpy as np
import pytest

from tap_models import dense_data, dense_model, fit, weights_of
from unetdyn.callbacks import BatchMonitor, GradientMonitor, NonFiniteGuard
from unetdyn.dynamics import detach_all
from unetdyn.dynamics.sessions import is_of_a_fit, runs

BACKEND = keras.backend.backend()
Hook = keras.callbacks.LambdaCallback
GOOD = dense_data(4)


def compiled(**options):
    model = dense_model()
    model.compile(keras.optimizers.Adam(0.01), "mse", **options)
    return model


def spoilt():
    """Three batches, the second with a NaN."""
    x, y = dense_data()
    x[5] = np.nan
    return x, y


def watching():
    return GradientMonitor(), BatchMonitor(), NonFiniteGuard(verbose=0)


def codes(unit):
    return [finding.code for _, finding in unit.findings if finding.code.startswith("steps.")]


def is_finite(model):
    return all(np.isfinite(weights).all() for weights in weights_of(model))


WITHIN = {
    "train_on_batch": lambda model: model.train_on_batch(*GOOD),
    "fit": lambda model: fit(model, GOOD),
    "watched fit": lambda model: fit(model, GOOD, callbacks=[GradientMonitor(), BatchMonitor()]),
}


@pytest.mark.parametrize("within", WITHIN)
def test_training_within_a_callback_ends_no_tap(within):
    """Its steps are steps of the same optimizer, and are in the records."""
    model, units = compiled(), watching()
    inner = Hook(on_epoch_begin=lambda epoch, logs: WITHIN[within](model) and None)
    fit(model, spoilt(), epochs=2, callbacks=[*units, inner])
    gradient, batch, guard = units
    assert is_finite(model)
    assert gradient.record["step"].tolist() == list(range(8))
    assert guard.record["step"].tolist() == [2, 6]
    assert batch.record["steps"].tolist() == [4, 4]
    assert not any(map(codes, units))
    assert "apply" not in vars(model.optimizer)
    assert "compute_metrics" not in vars(model)


def own_loop(model, units, between=lambda: None, history=True):
    callbacks = keras.callbacks.CallbackList(units, add_history=history, model=model, epochs=2, steps=3)
    callbacks.on_train_begin()
    x, y = spoilt()
    for epoch in range(2):
        model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        for step in range(3):
            callbacks.on_train_batch_begin(step)
            part = slice(4 * step, 4 * step + 4)
            logs = model.train_on_batch(x[part], y[part], return_dict=True)
            callbacks.on_train_batch_end(step, logs)
        between()
        callbacks.on_epoch_end(epoch, {name: float(value) for name, value in logs.items()})
    callbacks.on_train_end()


@pytest.mark.parametrize("history", [True, False], ids=["with history", "after a fit"])
def test_loop_of_the_users_own_is_watched(history):
    model, units = compiled(), watching()
    if not history:
        fit(model, GOOD)
    own_loop(model, units, history=history)
    gradient, batch, guard = units
    assert is_finite(model)
    first = 0 if history else 1
    assert gradient.record["step"].tolist() == list(range(first, first + 6))
    assert batch.record["images"].tolist() == [12, 12]
    assert guard.skipped == 2
    assert not any(map(codes, units))
    assert "apply" not in vars(model.optimizer)


@pytest.mark.filterwarnings("ignore:.*it sees no steps any more.*detach_all")
def test_who_is_taken_off_in_a_loop_of_the_users_own_says_so():
    """A `fit` that begins outside of the loop's callbacks may be another training: controls must not act on it."""
    model, units = compiled(), watching()
    fits = iter([lambda: fit(model, GOOD)])
    own_loop(model, units, between=lambda: next(fits, lambda: None)())
    assert [codes(unit) for unit in units] == [["steps.detached"]] * 3
    assert len(units[0].record["step"]) == 3


def test_who_is_taken_off_by_a_callback_says_so_once():
    model, monitor = compiled(), GradientMonitor()
    leave = Hook(on_epoch_end=lambda epoch, logs: detach_all(model))
    with pytest.warns(UserWarning, match="GradientMonitor: from epoch 2 on it sees no steps any more.*`detach_all`"):
        fit(model, dense_data(), epochs=3, callbacks=[monitor, leave])
    assert codes(monitor) == ["steps.detached"]
    assert len(monitor.record["step"]) == 3


@pytest.mark.skipif(BACKEND == "jax", reason="Keras can't compile a model anew while it is trained on JAX")
def test_who_watches_an_optimizer_that_was_replaced_says_so():
    model, monitor = compiled(), GradientMonitor()

    def anew(epoch, logs):
        if epoch == 0:
            model.compile(keras.optimizers.SGD(0.01), "mse")
            model.make_train_function()

    with pytest.warns(UserWarning, match="GradientMonitor: from epoch 2 on .* compiled anew .* another optimizer"):
        fit(model, dense_data(), epochs=3, callbacks=[monitor, Hook(on_epoch_end=anew)])
    assert codes(monitor) == ["steps.detached"]


class Interrupted(Exception):
    pass


def test_training_that_broke_off_is_left_at_the_next_batch_though_its_error_is_kept():
    """As a notebook keeps the last error, with all that the calls had."""
    model, guard = compiled(), NonFiniteGuard(verbose=0)

    def stop(batch, logs):
        raise Interrupted

    with pytest.raises(Interrupted) as kept:
        fit(model, dense_data(), callbacks=[guard, Hook(on_train_batch_end=stop)])
    assert "apply" in vars(model.optimizer)
    model.train_on_batch(*(part[4:8] for part in spoilt()))
    assert "apply" not in vars(model.optimizer)
    assert not is_finite(model)
    assert kept.value is not None


def test_session_runs_while_its_loop_or_its_hooks_do():
    seen = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen["within"] = runs(self.params), is_of_a_fit(self.params)

    look = Look()
    fit(compiled(), GOOD, callbacks=[look])
    assert seen["within"] == (True, True)
    assert (runs(look.params), is_of_a_fit(look.params)) == (False, False)
    own = keras.callbacks.CallbackList([look], model=None, epochs=1)
    own.on_epoch_end(0, {})
    assert seen["within"] == (True, False)
    assert not runs(own.params)


def test_no_garbage_is_collected_while_the_calls_of_other_threads_are_looked_at(request):
    """Python 3.11 crashes where that lets them run on; without it the first allocation of a frame collects here."""
    held, collecting = threading.Event(), []
    other = threading.Thread(target=held.wait)
    other.start()
    request.addfinalizer(other.join)
    request.addfinalizer(held.set)
    was, look = gc.get_threshold(), lambda phase, info: collecting.append(sys._getframe(1).f_code.co_name)
    gc.callbacks.append(look)
    gc.set_threshold(1)
    try:
        assert not runs({})
        assert not is_of_a_fit({})
    finally:
        gc.set_threshold(*was)
        gc.callbacks.remove(look)
    assert collecting
    assert "walk_stack" not in collecting
    assert gc.isenabled()
