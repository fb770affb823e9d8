"""NonFiniteGuard: a bad batch leaves no trace, is told of, and too many in a row end the training."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from findings import numbers, told
from tap_models import assert_same_weights, conv_data, conv_model, fit, optimizer_state, weights_of
from unetdyn.callbacks.auto_clip import AutoClip
from unetdyn.callbacks.non_finite_guard import NonFiniteGuard
from unetdyn.dynamics import detach_all
from unetdyn.dynamics.training_state import copied, put_back

pytestmark = pytest.mark.usefixtures("untraced")

BACKEND = keras.backend.backend()


def compiled(policy="float32", optimizer=None, **kwargs):
    """With batch norm, whose statistics the forward pass spoils before there is any gradient."""
    model = conv_model(policy)
    model.compile(optimizer or keras.optimizers.Adam(0.01), "mse", **kwargs)
    return model


def data(bad=(), batches=6):
    """Batches of four, those in `bad` with a NaN pixel in one image."""
    x, y = conv_data(4 * batches)
    for batch in bad:
        x[4 * batch, 1, 1, 0] = np.nan
    return x, y


def without(bad, batches=6):
    x, y = conv_data(4 * batches)
    kept = [sample for sample in range(len(x)) if sample // 4 not in bad]
    return x[kept], y[kept]


WAYS = {
    "plain": ({}, {}),
    "eager": ({}, {"run_eagerly": True}),
    "jit": ({}, {"jit_compile": True}),
    "several steps an execution": ({}, {"steps_per_execution": 2}),
    "accumulation": ({"gradient_accumulation_steps": 2}, {}),
    "weight decay, averages": ({"weight_decay": 0.1, "use_ema": True}, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_guard_trains_as_if_the_bad_batch_had_not_been(way):
    options, compile_options = WAYS[way]
    if BACKEND == "torch" and way in ("jit", "several steps an execution"):
        pytest.skip("torch.compile takes minutes, and Keras refuses steps_per_execution > 1 on PyTorch")
    guarded, plain = (compiled(optimizer=keras.optimizers.Adam(0.01, **options), **compile_options) for _ in range(2))
    guard = NonFiniteGuard(verbose=0)
    fit(guarded, data(bad=[1, 4]), callbacks=[guard])
    fit(plain, without([1, 4]))
    assert guard.skipped == 2
    assert_same_weights(weights_of(guarded), weights_of(plain), rounding=way == "jit")
    assert_same_weights(optimizer_state(guarded), optimizer_state(plain), rounding=way == "jit")


def test_without_the_guard_one_bad_batch_spoils_everything():
    """Else the test above could not fail; a control alone would save the weights, but not what batch norm keeps."""
    model = compiled()
    fit(model, data(bad=[1]))
    assert all(np.isnan(w).all() for w in weights_of(model))


def test_guard_leaves_a_model_that_can_be_evaluated():
    model = compiled()
    fit(model, data(bad=[5]), callbacks=[NonFiniteGuard(verbose=0)])
    assert np.isfinite(model.evaluate(*conv_data(8), verbose=0))


def test_guard_records_counts_and_logs():
    model, guard = compiled(), NonFiniteGuard(verbose=0)
    x, y = data(bad=[1, 4])
    history = model.fit(x, y, batch_size=4, shuffle=False, epochs=2, verbose=0, callbacks=[guard]).history
    assert history["skipped_updates"] == [2.0, 2.0]
    assert guard.skipped == 4
    assert guard.record["step"].tolist() == [1, 4, 7, 10]
    total = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert guard.record["entries"].tolist() == [total] * 4
    assert guard.record["variables"].tolist() == [len(model.trainable_variables)] * 4
    assert guard.record["variable"].tolist() == [model.trainable_variables[-1].path] * 4
    assert guard.record["block"].tolist() == [model.layers[-1].name] * 4
    assert guard.record["variable"].dtype.kind == "U"


def test_guard_finds_nothing_in_a_healthy_training():
    guard = NonFiniteGuard()
    history = compiled().fit(*data(), batch_size=4, verbose=0, callbacks=[guard]).history
    assert history["skipped_updates"] == [0.0]
    assert [len(column) for column in guard.record.values()] == [0] * 5
    assert guard.messages == ()


def test_guard_says_where_all_gradients_are_bad(capsys):
    model, guard = compiled(), NonFiniteGuard()
    fit(model, data(bad=[2]), callbacks=[guard])
    found = guard.findings[0][1]
    assert told(guard) == [(0, "guard.skipped", "watch")]
    assert numbers(found) == [1, 6, 2]  # skipped, of updates, first at step
    assert f"{model.trainable_variables[-1].path} (block {model.layers[-1].name}) and in every other" in found.seen
    assert f"Epoch 1: {found.sentence}" in capsys.readouterr().out


def test_guard_finds_the_block_where_backpropagation_breaks():
    """√ has an infinite slope at 0: the forward pass is finite, and so are the gradients behind it."""
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(2, use_bias=False, name="enc1_a"),
            keras.layers.Dense(2, use_bias=False, activation=lambda x: keras.ops.sqrt(keras.ops.abs(x)), name="enc1_b"),
            keras.layers.Dense(1, name="bottleneck_c"),
        ]
    )
    model.compile("sgd", "mse")
    x = np.ones((4, 2), "float32")
    x[2] = 0
    guard = NonFiniteGuard(verbose=0)
    model.fit(x, np.ones((4, 1)), batch_size=1, shuffle=False, verbose=0, callbacks=[guard])
    assert guard.record["step"].tolist() == [2]
    assert guard.record["block"].tolist() == ["enc1"]
    assert guard.record["variable"].tolist() == [model.layers[1].kernel.path]
    assert numbers(guard.findings[0][1]) == [1, 4, 2, 1]  # skipped, of updates, first at step, other variables


def test_guard_stops_after_so_many_in_a_row():
    model, guard = compiled(), NonFiniteGuard(max_consecutive=3, verbose=0)
    before = weights_of(model)
    history = model.fit(*data(bad=range(6)), batch_size=4, shuffle=False, epochs=5, verbose=0, callbacks=[guard])
    assert history.epoch == [0]
    assert guard.stopped_step == 2
    assert_same_weights(weights_of(model), before)
    assert told(guard) == [(0, "guard.skipped", "watch"), (0, "guard.stopped", "ill")]
    stopped = guard.findings[1][1]
    assert numbers(stopped) == [3, 2]  # in a row, up to step
    assert f"{model.trainable_variables[-1].path} (block {model.layers[-1].name})" in stopped.seen


@pytest.mark.parametrize("limit", [3, None])
def test_guard_goes_on_while_batches_in_between_are_good(limit):
    model, guard = compiled(), NonFiniteGuard(max_consecutive=limit, verbose=0)
    history = model.fit(*data(bad=[0, 1, 3, 4]), batch_size=4, shuffle=False, epochs=3, verbose=0, callbacks=[guard])
    assert len(history.epoch) == 3
    assert guard.skipped == 12
    assert guard.stopped_step is None


def test_guard_counts_in_a_row_over_epochs_and_fits():
    model, guard = compiled(), NonFiniteGuard(max_consecutive=4, verbose=0)
    bad = {"batch_size": 4, "shuffle": False, "verbose": 0, "callbacks": [guard]}
    history = model.fit(*data(bad=[0, 5]), epochs=2, **bad)
    assert guard.stopped_step is None  # two in a row, from epoch to epoch
    history = model.fit(*data(bad=[0, 1, 2]), initial_epoch=2, epochs=4, **bad)
    assert history.epoch == [2]
    assert guard.stopped_step == 14
    assert guard.skipped == 7


def test_guard_stops_within_a_long_epoch(monkeypatch):
    """As soon as the ring on the device is full; its size is not what this is about."""
    monkeypatch.setattr("unetdyn.dynamics.tap.DEFAULT_CAPACITY", 8)
    model, guard = compiled(), NonFiniteGuard(max_consecutive=3, verbose=0)
    fit(model, data(bad=range(40), batches=40), callbacks=[guard])
    assert guard.stopped_step == 2
    assert guard.skipped == 10  # it is read after the first step too, and once full within the tenth


@pytest.mark.parametrize("same_guard", [True, False])
@pytest.mark.parametrize("again", [False, True], ids=["same optimizer", "recompiled"])
def test_guard_of_an_interrupted_fit_does_not_stop_the_next(same_guard, again):
    model, guard = compiled(), NonFiniteGuard(max_consecutive=3, verbose=0)
    with pytest.raises(RuntimeError, match="stopped"):
        fit(model, data(bad=range(6)), callbacks=[guard, Stop(4)])
    if again:
        model.compile("sgd", "mse")
    following = guard if same_guard else NonFiniteGuard(max_consecutive=3, verbose=0)
    x, y = data()
    with pytest.warns(UserWarning, match="NonFiniteGuard begins anew") if same_guard else nullcontext():
        history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[AutoClip(100), following])
    assert len(history.epoch) == 3
    assert following.stopped_step is None
    assert following.skipped == 0


def test_guard_can_be_used_again_after_it_has_stopped():
    model, guard = compiled(), NonFiniteGuard(max_consecutive=3, verbose=0)
    fit(model, data(bad=range(6)), callbacks=[guard])
    with pytest.warns(UserWarning, match="begins anew.*the weights with which that training began"):
        fit(model, data(), callbacks=[guard])  # no update was let through
    assert guard.stopped_step is None
    assert guard.skipped == 0
    assert np.isfinite(weights_of(model)[0]).all()


def scaled(initial_scale):
    inner = keras.optimizers.SGD(0.01)
    return compiled("mixed_float16", keras.optimizers.LossScaleOptimizer(inner, initial_scale=initial_scale))


def test_guard_counts_what_a_loss_scale_skips_and_lets_it_search():
    plain, model = scaled(2.0**21), scaled(2.0**21)
    guard = NonFiniteGuard(max_consecutive=1, verbose=0)
    fit(plain, data(batches=12))
    fit(model, data(batches=12), callbacks=[guard])
    halvings = 21 - np.log2(float(model.optimizer.dynamic_scale))
    assert 0 < halvings == guard.skipped < 12
    assert len(guard.record["step"]) == guard.skipped
    assert guard.stopped_step is None
    assert "loss scale" in guard.findings[0][1].seen
    if BACKEND != "jax":
        assert_same_weights(weights_of(model), weights_of(plain))


def test_guard_stops_once_a_loss_scale_cannot_be_the_cause():
    model, guard = scaled(8.0), NonFiniteGuard(max_consecutive=2, verbose=0)
    fit(model, data(bad=range(8), batches=8), callbacks=[guard])
    assert guard.skipped == 8
    assert guard.stopped_step == 4  # at scales 8, 4, 2 it may yet be the scale; 1 and 0.5 count


class Stop(keras.callbacks.Callback):
    def __init__(self, at=0):
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.at:
            raise RuntimeError("stopped")


def test_guard_leaves_no_trace():
    model = compiled()
    model.optimizer.build(model.trainable_variables)
    before = [set(vars(v)) for v in model.variables], set(vars(model.optimizer))
    first, second = NonFiniteGuard(verbose=0), NonFiniteGuard(verbose=0, name="second")
    fit(model, data(), callbacks=[first, second])
    assert ([set(vars(v)) for v in model.variables], set(vars(model.optimizer))) == before
    with pytest.raises(RuntimeError, match="stopped"):
        fit(model, data(), callbacks=[first, Stop()])
    fit(model, data(bad=[0]), callbacks=[second])
    assert second.skipped == 1
    assert ([set(vars(v)) for v in model.variables], set(vars(model.optimizer))) == before


def test_detach_all_takes_the_guard_off_the_forward_pass_too():
    model = compiled()
    before = [set(vars(v)) for v in model.variables]
    with pytest.raises(RuntimeError, match="stopped"):
        fit(model, data(), callbacks=[NonFiniteGuard(verbose=0), Stop()])
    detach_all(model)
    assert [set(vars(v)) for v in model.variables] == before


class Subclassed(keras.Model):
    """Built by its first step; its inner layers too."""

    def __init__(self):
        super().__init__()
        layers = keras.layers
        self.inner = keras.Sequential([layers.Flatten(), layers.Dense(3), layers.BatchNormalization()])
        self.head = layers.Dense(1)

    def call(self, x, training=False):
        return self.head(self.inner(x, training=training))


def deferred():
    layers = keras.layers
    return keras.Sequential([layers.Flatten(), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])


@pytest.mark.parametrize("make", [Subclassed, deferred])
@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_guard_protects_a_model_that_its_first_step_builds(make, eager):
    trained = []
    for callbacks, batches in (([], without([0])), ([NonFiniteGuard(verbose=0)], data(bad=[0]))):
        keras.utils.set_random_seed(3)
        model = make()
        model.compile(keras.optimizers.SGD(0.01), "mse", run_eagerly=eager)
        before = [(layer, vars(layer).get("build")) for layer in model._flatten_layers()]
        fit(model, batches, callbacks=callbacks)
        trained.append(weights_of(model))
    assert_same_weights(*trained)
    assert all(vars(layer).get("build") == build for layer, build in before)
    assert not any("assign" in vars(v) for v in model.variables)


def test_guard_config_makes_another():
    guard = NonFiniteGuard(3, verbose=0, name="guard")
    assert NonFiniteGuard(**guard.get_config()).get_config() == guard.get_config()


@pytest.mark.parametrize("limit", [0, -1, 2.0, "ten"])
def test_guard_refuses_bad_arguments(limit):
    with pytest.raises(ValueError, match=r"`max_consecutive` must be a whole number of updates, 1 or more.*Received: "):
        NonFiniteGuard(limit)


def test_run_of_skipped_updates_goes_on_in_another_process():
    """Four of an epoch, and the fifth in the next: there its training stops, at the end of that epoch."""
    bad, first, taken = data(bad=range(4), batches=4), NonFiniteGuard(max_consecutive=5, verbose=0), []
    take = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: taken.extend([first.get_state(), copied(first.model, metrics=False)])
    )
    fit(compiled(), bad, callbacks=[first, take])
    model, guard = compiled(), NonFiniteGuard(max_consecutive=5, verbose=0)

    def bring_back(logs):
        guard.set_state(taken[0])
        put_back(model, taken[1])

    bring = keras.callbacks.LambdaCallback(on_train_begin=bring_back)
    history = model.fit(
        *bad, batch_size=4, shuffle=False, epochs=4, initial_epoch=1, verbose=0, callbacks=[guard, bring]
    )
    assert history.epoch == [1]
    assert (guard.skipped, guard.stopped_step) == (8, 4)
    assert guard.record["step"].tolist() == list(range(8))
