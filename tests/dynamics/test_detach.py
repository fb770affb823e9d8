"""After a tap has gone, nothing tells that it was there; while it is there, everything can be saved and loaded."""

import copy
import gc
import weakref

import keras
import numpy as np
import pytest

from tap_models import (
    Batches,
    assert_same_weights,
    conv_data,
    conv_model,
    dense_data,
    dense_model,
    fit,
    optimizer_state,
    weights_of,
)
from unetdyn.dynamics import OptimizerTap, Probe, detach_all


class Kept(Probe):
    """State of the gradients' shapes, so that JAX has more to carry than the ring."""

    def build(self, add_variable, variables):
        self.last = [add_variable(like=v) for v in variables]

    def columns(self):
        return {"dot_previous": 1}

    def measure(self, step):
        ops = keras.ops
        dot = sum(
            ops.sum(ops.cast(g, "float32") * kept.value) for g, kept in zip(step.gradients, self.last, strict=True)
        )
        for gradient, kept in zip(step.gradients, self.last, strict=True):
            kept.assign(ops.cast(gradient, "float32"))
        return {"dot_previous": dot}


def compiled(optimizer=None):
    model = dense_model()
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def anatomy(model):
    optimizers = [model.optimizer, getattr(model.optimizer, "inner_optimizer", model.optimizer)]
    return [
        (type(o), {k: id(v) for k, v in vars(o).items() if k not in ("_lock",)}, [id(v) for v in o.variables])
        for o in optimizers
    ]


@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "loss scale"])
def test_detach_leaves_no_trace(scaled):
    optimizer = keras.optimizers.Adam(0.01)
    model = compiled(keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer)
    before = anatomy(model)
    taps = [OptimizerTap(model), OptimizerTap(model, Kept())]
    fit(model, dense_data())
    for tap in taps:
        tap.detach()
        tap.detach()
    assert anatomy(model) == before
    assert "apply" not in vars(model.optimizer)
    fit(model, dense_data())
    assert len(taps[0].read()) == 3
    assert len(taps[0].read()) == 0


def test_detach_within_an_epoch_lets_training_go_on():
    plain, tapped = compiled(), compiled()
    tap = OptimizerTap(tapped, Kept())
    fit(plain, dense_data(20))
    fit(tapped, dense_data(20), callbacks=[Batches(lambda batch: tap.detach() if batch == 1 else None)])
    assert list(tap.read().step) == [0, 1]
    assert_same_weights(weights_of(plain), weights_of(tapped))
    assert_same_weights(optimizer_state(plain), optimizer_state(tapped))


def test_attach_within_an_epoch_measures_from_then_on():
    model = compiled()
    taps = [OptimizerTap(model)]

    def attach(batch):
        if batch == 1:
            taps.append(OptimizerTap(model, Kept()))

    fit(model, dense_data(20), callbacks=[Batches(attach)])
    assert list(taps[0].read().step) == [0, 1, 2, 3, 4]
    late = taps[1].read()
    assert list(late.step) == [2, 3, 4]
    assert late.extra["dot_previous"].shape == (3, 1)
    detach_all(model)


def train_batch_by_batch(model, data):
    for begin in range(0, len(data[0]), 4):
        model.train_on_batch(*(part[begin : begin + 4] for part in data))


WAYS = {"fit": fit, "train_on_batch": train_batch_by_batch}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stays", [False, True], ids=["alone", "beside another"])
def test_listener_may_detach_its_own_tap_when_a_full_ring_brings_rows(way, stays):
    """In the midst of a step: on JAX all values are in its hands then."""
    plain, tapped = compiled(), compiled()
    before = anatomy(tapped)
    others = [OptimizerTap(tapped, Kept(), capacity=2)] if stays else []
    tap = OptimizerTap(tapped, Kept(), capacity=2, on_rows=lambda _: tap.detach())
    for model in (plain, tapped):
        WAYS[way](model, dense_data(28))
    assert not tap.attached
    assert list(tap.read().step) == [0]  # the ring is read after the first step, and whenever it is full
    for other in others:
        rows = other.read()
        assert list(rows.step) == list(range(7))
        assert np.all(rows.extra["dot_previous"][1:] != 0)
        other.detach()
    assert anatomy(tapped) == before
    assert_same_weights(weights_of(plain), weights_of(tapped))
    assert_same_weights(optimizer_state(plain), optimizer_state(tapped))


def test_listener_may_put_another_tap_in_place_of_its_own():
    model, taps = compiled(), []

    def replace(_rows):
        tap.detach()
        taps.append(OptimizerTap(model, Kept()))

    tap = OptimizerTap(model, capacity=2, on_rows=replace)
    fit(model, dense_data(20))
    (late,) = taps
    assert list(tap.read().step) == [0]
    assert list(late.read().step) == [1, 2, 3, 4]
    late.detach()


def test_tap_is_served_when_the_last_other_leaves_while_it_is_attached():
    """The first tap hears its last rows because the second is attached, and detaches itself at that."""
    model = compiled()
    before = anatomy(model)
    first = OptimizerTap(model, on_rows=lambda _: first.detach())
    fit(model, dense_data(4))
    second = OptimizerTap(model, Kept())
    fit(model, dense_data())
    assert not first.attached
    assert list(first.read().step) == [0]
    assert list(second.read().step) == [1, 2, 3]
    second.detach()
    assert anatomy(model) == before


def test_detaching_one_tap_leaves_the_others_at_work():
    model = compiled()
    stays, goes = OptimizerTap(model), OptimizerTap(model, Kept())
    fit(model, dense_data())
    goes.detach()
    fit(model, dense_data())
    assert list(stays.read().step) == list(range(6))
    assert list(goes.read().step) == list(range(3))


class Interrupted(Exception):
    pass


def stop_at(batch):
    if batch == 1:
        raise Interrupted


def attaching(model, taps, number):
    """A callback that attaches as ours do, when the `fit` begins."""

    def attach(_logs):
        session = object()
        taps.extend(OptimizerTap(model, Kept(), session=session) for _ in range(number))

    return keras.callbacks.LambdaCallback(on_train_begin=attach)


def test_exception_leaves_the_model_usable_and_the_rows_readable():
    model = compiled()
    before = anatomy(model)
    taps = []
    with pytest.raises(Interrupted):
        fit(model, dense_data(20), callbacks=[attaching(model, taps, 1), Batches(stop_at)])
    tap = taps.pop()
    model.predict(dense_data()[0], verbose=0)
    assert list(tap.read().step) == [0, 1]
    fit(model, dense_data())
    assert not tap.attached
    assert anatomy(model) == before
    fit(model, dense_data(), callbacks=[attaching(model, taps, 1)])
    assert list(tap.read().step) == []
    assert list(taps[0].read().step) == [5, 6, 7]
    taps[0].detach()
    assert anatomy(model) == before


def test_taps_of_one_session_or_none_are_not_taken_for_left_behind():
    model = compiled()
    taps = [OptimizerTap(model)]
    fit(model, dense_data(), callbacks=[attaching(model, taps, 2)])
    assert [len(tap.read()) for tap in taps] == [3, 3, 3]


def test_detach_all_mends_what_was_left_behind():
    model = compiled()
    before = anatomy(model)
    tap = OptimizerTap(model)
    with pytest.raises(Interrupted):
        fit(model, dense_data(20), callbacks=[Batches(stop_at)])
    detach_all(model)
    detach_all(model)
    assert anatomy(model) == before
    fit(model, dense_data())
    assert len(tap.read()) == 2


def test_tap_whose_owner_is_gone_is_dropped():
    model, probe = compiled(), Kept()
    held = weakref.ref(probe)
    OptimizerTap(model, probe)
    del probe
    tap = OptimizerTap(model)
    gc.collect()
    assert held() is None
    tap.detach()


def test_optimizer_is_left_at_the_next_training_after_the_last_tap_is_gone():
    model = compiled()
    before = anatomy(model)
    OptimizerTap(model, Kept())
    fit(model, dense_data())
    assert anatomy(model) == before


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="on JAX Keras calls stateless_apply")
@pytest.mark.parametrize("built", [True, False])
def test_apply_wrapped_by_somebody_else_meanwhile_still_works_after_detach(built):
    plain, model = dense_model(), dense_model()
    for each in (plain, model):
        each.compile(keras.optimizers.SGD(0.1), "mse")
        if built:
            each.optimizer.build(each.trainable_variables)
    tap, calls = OptimizerTap(model), []
    ours = model.optimizer.apply

    def apply(*args):
        calls.append(len(args))
        ours(*args)

    model.optimizer.apply = apply
    tap.detach()
    for each in (plain, model):
        fit(each, dense_data())
    assert calls
    assert_same_weights(weights_of(plain), weights_of(model))


def test_what_keras_refuses_is_refused_in_its_own_words():
    model = compiled()
    tap = OptimizerTap(model)
    stranger = keras.Variable([1.0])
    with pytest.raises(ValueError, match="Unknown variable"):
        model.optimizer.apply([keras.ops.ones((1,))], [stranger])
    with pytest.raises(ValueError, match="Received a list of 1 gradients"):
        model.optimizer.apply([keras.ops.ones((1,))])
    tap.detach()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("saved_with_tap", [True, False], ids=["saved with tap", "loaded with tap"])
def test_checkpoints_are_interchangeable(tmp_path, policy, saved_with_tap):
    def ready(tapped):
        model = conv_model(policy)
        optimizer = keras.optimizers.Adam(0.01)
        model.compile(keras.optimizers.LossScaleOptimizer(optimizer) if policy != "float32" else optimizer, "mse")
        return model, OptimizerTap(model, Kept()) if tapped else None

    source, _tap = ready(saved_with_tap)
    path = tmp_path / "model.keras"
    fit(source, conv_data(), epochs=2, callbacks=[keras.callbacks.ModelCheckpoint(str(path))])
    loaded = keras.saving.load_model(path)
    assert_same_weights(weights_of(source), weights_of(loaded))
    state = _own_state(source)
    assert_same_weights(state, optimizer_state(loaded))

    target, _tap = ready(not saved_with_tap)
    if not target.optimizer.built:
        target.optimizer.build(target.trainable_variables)
    source.save_weights(tmp_path / "all.weights.h5")
    target.load_weights(tmp_path / "all.weights.h5")
    assert_same_weights(weights_of(source), weights_of(target))
    if saved_with_tap:
        detach_all(source)
        assert_same_weights(state, optimizer_state(source))


def _own_state(model):
    """What the optimizer would have without a tap: its own variables come first."""
    count = len(keras.models.clone_model(model).trainable_variables)
    assert count
    own = [v for v in model.optimizer.variables if not v.name.startswith("unetdyn_tap_")]
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in own]


def test_optimizer_state_of_a_checkpoint_loads_into_a_tapped_optimizer(tmp_path):
    plain = compiled()
    fit(plain, dense_data())
    plain.save(tmp_path / "plain.keras")
    tapped = keras.saving.load_model(tmp_path / "plain.keras")
    tap = OptimizerTap(tapped)
    store = {}
    plain.optimizer.save_own_variables(store)
    tapped.optimizer.load_own_variables(store)
    again = {}
    tapped.optimizer.save_own_variables(again)
    assert store.keys() == again.keys()
    fit(tapped, dense_data())
    assert list(tap.read().step) == [3, 4, 5]


def test_tapped_model_can_be_copied():
    model = compiled()
    tap = OptimizerTap(model, Kept())
    fit(model, dense_data())
    twin = copy.deepcopy(model)
    assert_same_weights(weights_of(model), weights_of(twin))
    assert "apply" not in vars(twin.optimizer or object.__new__(keras.Model))
    assert len(tap.read()) == 3


def test_evaluation_and_prediction_are_not_measured():
    model = compiled()
    tap = OptimizerTap(model)
    fit(model, dense_data(), validation_data=dense_data(8))
    model.evaluate(*dense_data(), verbose=0)
    model.predict(dense_data()[0], verbose=0)
    assert len(tap.read()) == 3
