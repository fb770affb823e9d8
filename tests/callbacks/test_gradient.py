"""GradientMonitor against a second pass on the same batches, and on gradients known beforehand."""

import keras
import numpy as np
import pytest

import unetdyn.runs
from findings import numbers, told
from tap_models import brute_force, conv_data, conv_model, dense_data, fit
from unetdyn.callbacks import AutoClip, GradientMonitor, NonFiniteGuard, RunRecorder
from unetdyn.dynamics import blocks
from unetdyn.models import UNet


def train(model, data, monitor, optimizer=None, controls=(), **kwargs):
    model.compile(optimizer or keras.optimizers.SGD(0.01), "mse")
    settings = {"batch_size": 4, "verbose": 0, "shuffle": False} | kwargs
    history = model.fit(*data, **settings, callbacks=[monitor, *controls])
    return {name: values[-1] for name, values in history.history.items()}


def one_weight(gradients, optimizer=None, controls=(), **kwargs):
    """Train w in loss = mean (w x)² with batches made so that step t has gradient `gradients[t]`, w being held at 1."""
    monitor = GradientMonitor(**kwargs)
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="only")]
    )
    x = np.sqrt(np.array(gradients) / 2)[:, None]
    rate = keras.optimizers.SGD(0.0) if optimizer is None else optimizer
    logs = train(model, (x, np.zeros_like(x)), monitor, rate, controls, batch_size=1)
    return monitor, logs


def test_norms_equal_a_second_pass():
    data, twin, model, monitor = conv_data(), conv_model(), conv_model(), GradientMonitor()
    optimizer = {"learning_rate": 0.05, "momentum": 0.9, "clipnorm": 0.1}
    twin.compile(keras.optimizers.SGD(**optimizer), "mse")
    expected = brute_force(twin, data)["grad"]
    logs = train(model, data, monitor, keras.optimizers.SGD(**optimizer))
    record = monitor.record
    np.testing.assert_allclose(record["grad_norm"], np.sqrt(expected.sum(axis=1)), rtol=1e-5)
    for values, columns in zip(record["block_grad_norm"].values(), blocks(twin).values(), strict=True):
        np.testing.assert_allclose(values, np.sqrt(expected[:, columns].sum(axis=1)), rtol=1e-5)
    assert logs["grad_norm"] == pytest.approx(np.median(np.sqrt(expected.sum(axis=1))), rel=1e-5)
    assert logs["grad_norm_max"] == pytest.approx(np.max(np.sqrt(expected.sum(axis=1))), rel=1e-5)
    clipped = np.sqrt(np.minimum(expected, 0.01).sum(axis=1))
    np.testing.assert_allclose(record["applied_grad_norm"], clipped, rtol=1e-5)
    assert logs["grad_clipped"] == (clipped < 0.999 * record["grad_norm"]).sum() > 0


def test_a_unet_has_its_blocks_in_order_and_a_profile():
    model, monitor = UNet((16, 16, 1), filters=2, depth=2, seed=0), GradientMonitor(blocks_in_logs=True)
    rng = np.random.default_rng(0)
    data = rng.random((6, 16, 16, 1)), (rng.random((6, 16, 16, 1)) > 0.5).astype("float32")
    logs = train(model, data, monitor, batch_size=2)
    names = ["enc1", "enc2", "bottleneck", "dec2", "dec1", "head"]
    norms = monitor.record["block_grad_norm"]
    assert list(norms) == names
    total = np.sqrt(sum(values.astype("float64") ** 2 for values in norms.values()))
    np.testing.assert_allclose(monitor.record["grad_norm"], total, rtol=1e-6)
    profile = monitor.profile()
    assert list(profile.norms) == names
    assert profile.ratio == pytest.approx(np.median(norms["enc1"]) / np.median(norms["bottleneck"]))
    for name in names:
        assert logs[f"grad_norm/{name}"] == pytest.approx(np.median(norms[name]))


def test_thresholds_count_steps_and_are_named_in_the_message():
    monitor, logs = one_weight([1.0, 12.0, 30.0, 9.0, 15.0])
    np.testing.assert_allclose(monitor.record["grad_norm"], [1, 12, 30, 9, 15], rtol=1e-5)
    assert logs["grad_exploding"] == 3.0
    assert told(monitor) == [(0, "gradient.exploding", "watch")]
    assert numbers(monitor.findings[0][1]) == [10, 3, 5, 1, 12, 30, 2]  # threshold, steps, first (norm), most at
    monitor, logs = one_weight([1.0, 12.0, 30.0, 9.0, 15.0], explode=20)
    assert logs["grad_exploding"] == 1.0
    assert monitor.record["explode"] == 20


def test_vanishing_is_told_by_the_median_of_the_whole_and_of_blocks():
    monitor, logs = one_weight([1e-7, 1e-8, 1e-7, 1.0])
    assert (logs["grad_vanishing"], logs["grad_vanishing_blocks"]) == (3.0, 1.0)
    assert told(monitor) == [(0, "gradient.vanishing", "watch")]
    assert numbers(monitor.findings[0][1]) == [4, 1e-6, 1e-7, 1e-7, 1]  # steps, threshold, whole, block, blocks
    monitor, logs = one_weight([1e-7, 1.0, 1.0])
    assert (logs["grad_vanishing"], logs["grad_vanishing_blocks"]) == (1.0, 0.0)
    assert monitor.messages == ()
    monitor, logs = one_weight([1e-3] * 3, vanish=1e-2)
    assert logs["grad_vanishing"] == 3.0


def test_a_block_that_the_loss_does_not_reach_is_exactly_zero():
    inputs = keras.Input((3,))
    never = keras.initializers.Constant(-1e3)
    x = keras.layers.Dense(3, name="dead", activation="relu", bias_initializer=never)(inputs)
    model, monitor = keras.Model(inputs, keras.layers.Dense(1, name="out")(x)), GradientMonitor()
    logs = train(model, dense_data(), monitor)
    assert logs["grad_vanishing_blocks"] == 1.0
    assert told(monitor) == [(0, "gradient.vanishing", "watch")]
    assert "block dead (0, " in monitor.findings[0][1].seen
    assert numbers(monitor.findings[0][1]) == [3, 1e-6, 0, 1e-19, 2]  # 0, or below about 1e-19; of two blocks


def test_a_gradient_whose_square_underflows_is_not_called_zero():
    monitor, _ = one_weight([1e-25] * 3)
    found = monitor.findings[0][1]
    assert numbers(found) == [3, 1e-6, 0, 1e-19, 0, 1e-19, 1]
    assert "exactly" not in found.sentence
    assert "1e-19 show as 0" in found.advice


def test_a_spike_is_told_against_the_steps_before_whatever_the_epochs():
    gradients = (0.01 * np.exp(0.1 * np.sin(np.arange(60)))).tolist()
    gradients[50] = 0.5
    monitor, logs = one_weight(gradients, window=20)
    assert np.flatnonzero(monitor.record["spike"]).tolist() == [50]
    assert logs["grad_spikes"] == 1.0
    assert told(monitor) == [(0, "gradient.spikes", "watch")]
    assert numbers(monitor.findings[0][1]) == [1, 60, 6, 20, 50, 0.5]  # steps, factor, window, first (norm)
    monitor, logs = one_weight(gradients, spike=None)
    assert "grad_spikes" not in logs
    assert not monitor.record["spike"].any()


def test_spikes_do_not_depend_on_where_epochs_end():
    rng = np.random.default_rng(0)
    norms = np.exp(rng.standard_t(2, size=90))
    norms[[5, 40]] = [np.nan, 0.0]
    whole = GradientMonitor(spike=4, window=12)._spikes(norms)
    monitor = GradientMonitor(spike=4, window=12)
    parts = [monitor._spikes(part) for part in np.split(norms, [7, 8, 50, 88])]
    assert whole.any()
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(("anew", "spikes"), [(True, 0), (False, 1)])
def test_what_is_usual_is_that_of_the_optimizer(anew, spikes):
    """A new one comes with a new loss; a training that goes on with its own goes on with what is usual."""
    monitor, x = GradientMonitor(window=20), np.exp(0.1 * np.sin(np.arange(30.0)))[:, None].astype("float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    train(model, (x, 0 * x), monitor, keras.optimizers.SGD(0.0), batch_size=1)
    if anew:
        model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(5 * x[:1], 0 * x[:1], initial_epoch=1, epochs=2, verbose=0, callbacks=[monitor])
    assert monitor.record["spike"].sum() == spikes
    assert len(monitor.record["step"]) == 31


def test_messages_come_when_trouble_begins_and_not_while_it_lasts():
    monitor = GradientMonitor()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    for epoch, size in enumerate([30.0, 40.0, 1.0, 50.0]):
        x = np.full((2, 1), np.sqrt(size / 2))
        fit(model, (x, 0 * x), epochs=epoch + 1, initial_epoch=epoch, batch_size=1, callbacks=[monitor])
    assert [epoch for epoch, text in monitor.messages] == [0, 3]


def test_a_place_that_comes_and_goes_while_trouble_lasts_is_told_once():
    """Three heads on inputs of their own: the gradient of the mean absolute error is, by head, its input."""
    inputs = [keras.Input((1,)) for _ in "abc"]
    heads = [keras.layers.Dense(1, use_bias=False, name=name)(x) for name, x in zip("abc", inputs, strict=True)]
    model, monitor = keras.Model(inputs, keras.layers.Add()(heads)), GradientMonitor()
    model.compile(keras.optimizers.SGD(0.0), "mean_absolute_error")
    for epoch, exploding in enumerate(["ab", "a", "ab", "abc", "", "a"]):
        x = [np.full((2, 1), 20.0 if name in exploding else 1.0) for name in "abc"]
        fit(model, (x, np.full((2, 1), 1e3)), epochs=epoch + 1, initial_epoch=epoch, callbacks=[monitor])
    assert [epoch for epoch, code, _ in told(monitor) if code == "gradient.exploding"] == [0, 3, 5]


def test_messages_are_printed_only_when_asked(capsys):
    one_weight([20.0])
    assert capsys.readouterr().out == ""
    monitor, _ = one_weight([20.0], verbose=1)
    assert capsys.readouterr().out == f"\nEpoch 1: {monitor.findings[0][1].sentence}\n"


def test_a_batch_with_nan_is_named_with_step_variable_and_block():
    model, monitor = conv_model(), GradientMonitor()
    x, y = conv_data(20)
    x[9, 0, 0, 0] = np.nan  # in the third batch of five
    logs = train(model, (x, y), monitor)
    found = monitor.first_nonfinite
    assert (found.step, found.epoch) == (2, 0)
    assert found.everywhere
    assert found.applied
    assert found.block == model.layers[-1].name
    assert found.variable == model.trainable_variables[-1].path
    assert found.variables == tuple(v.path for v in model.trainable_variables)
    assert monitor.record["nonfinite"][:2].tolist() == [0, 0]
    assert (monitor.record["nonfinite"][2:] > 0).all()
    assert np.isnan(monitor.record["grad_norm"][2:]).all()
    assert logs["grad_nonfinite"] == 3.0
    assert np.isfinite(logs["grad_norm"])
    (nonfinite,) = (each for _, each in monitor.findings if each.code == "gradient.nonfinite")
    assert nonfinite.level == "ill"
    assert numbers(nonfinite)[:4] == [3, 5, 2, 1]  # steps, first, entries


def test_an_infinite_gradient_is_not_finite_and_no_explosion():
    monitor, logs = one_weight([20.0, np.inf])
    assert monitor.record["grad_norm"].tolist() == [20.0, np.inf]
    assert (logs["grad_nonfinite"], logs["grad_exploding"]) == (1.0, 1.0)
    exploding = next(found for _, found in monitor.findings if found.code == "gradient.exploding")
    assert numbers(exploding) == [10, 1, 2, 0, 20, 20, 0]


def test_nan_under_accumulation_is_not_called_skipped():
    """The micro-batch with NaN only accumulates; its mean spoils the weights at the next step."""
    model, monitor = conv_model(), GradientMonitor()
    x, y = conv_data(16)
    x[0, 0, 0, 0] = np.nan
    train(model, (x, y), monitor, keras.optimizers.SGD(0.01, gradient_accumulation_steps=4), epochs=1)
    assert monitor.first_nonfinite.applied
    assert told(monitor)[0] == (0, "gradient.nonfinite", "ill")


def test_nonfinite_gradients_that_reach_the_weights_are_told_after_skipped_ones():
    model, monitor = conv_model(), GradientMonitor()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x, y = conv_data(4)
    for epoch, guards in enumerate(([NonFiniteGuard(verbose=0)], [])):
        fit(model, (x * np.nan, y), epochs=epoch + 1, initial_epoch=epoch, callbacks=[monitor, *guards])
    assert told(monitor) == [(0, "gradient.skipped", "watch"), (1, "gradient.nonfinite", "ill")]
    assert not monitor.first_nonfinite.applied


@keras.saving.register_keras_serializable(package="unetdyn-tests")
class RootOfZero(keras.layers.Layer):
    """x + sqrt(0 · mean(x)): finite, but its gradient at the input is not."""

    def call(self, x):
        return x + keras.ops.sqrt(keras.ops.mean(x) * 0.0)


def test_gradients_that_break_on_the_way_back_name_where_they_broke():
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="first")(inputs)
    x = keras.layers.Dense(4, name="second")(x)
    x = keras.layers.Dense(2, name="third")(RootOfZero()(x))
    model, monitor = keras.Model(inputs, x), GradientMonitor()
    data = dense_data()
    logs = train(model, (data[0], np.zeros((12, 2), "float32")), monitor, epochs=2)
    found = monitor.first_nonfinite
    assert (found.step, found.block, found.variable) == (0, "second", "second/bias")
    assert found.variables == ("first/kernel", "first/bias", "second/kernel", "second/bias")
    assert found.entries == 4
    assert not found.everywhere
    assert told(monitor) == [(0, "gradient.nonfinite", "ill")]
    assert numbers(monitor.findings[0][1]) == [3, 3, 0, 4, 3]  # steps, first, entries, other variables
    assert logs["grad_nonfinite"] == 3.0


def test_nan_that_is_accumulated_is_not_called_skipped():
    """It is not applied at its own step, but in the mean at the next, and then no weight is a number any more."""
    monitor, _ = one_weight([np.nan, 1.0], keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    assert np.isnan(monitor.model.get_weights()[0]).all()
    assert monitor.record["applied"].tolist() == [False, True]
    assert monitor.first_nonfinite.applied
    assert told(monitor) == [(0, "gradient.nonfinite", "ill")]


def test_what_a_guard_skips_is_not_laid_to_a_loss_scale():
    monitor, _ = one_weight([np.nan, 1.0, 1.0, 1.0], keras.optimizers.SGD(0.0), [NonFiniteGuard(verbose=0)])
    assert not monitor.first_nonfinite.applied
    assert told(monitor) == [(0, "gradient.skipped", "watch")]
    assert "loss scale" not in monitor.findings[0][1].sentence


def test_what_a_loss_scale_skips_is_told_so():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.0), initial_scale=1.0)
    monitor, _ = one_weight([np.nan, 1.0, 1.0, 1.0], scaled)
    assert told(monitor) == [(0, "gradient.skipped", "watch")]
    assert "loss scale" in monitor.findings[0][1].seen


def test_nan_that_reaches_the_weights_is_told_after_nan_that_was_skipped():
    monitor = GradientMonitor()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.array([[np.nan], [1.0]])
    for epoch, guards in enumerate([[NonFiniteGuard(verbose=0)], [NonFiniteGuard(verbose=0)], [], []]):
        callbacks = [monitor, *guards]
        fit(model, (x, 0 * x), epochs=epoch + 1, initial_epoch=epoch, batch_size=1, callbacks=callbacks)
    assert told(monitor) == [(0, "gradient.skipped", "watch"), (2, "gradient.nonfinite", "ill")]


def test_clipping_is_counted_against_the_mean_of_micro_batches():
    """Micro-batches with gradients 4 and 2 have the mean 3: clipped to 2.5 it is less, though more than the second."""
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=2, global_clipnorm=2.5)
    monitor, logs = one_weight([4.0, 2.0, 1.0, 2.0], optimizer)
    np.testing.assert_allclose(monitor.record["grad_norm"], [4, 2, 1, 2], rtol=1e-5)
    assert monitor.record["applied"].tolist() == [False, True, False, True]
    np.testing.assert_allclose(monitor.record["applied_grad_norm"], [np.nan, 2.5, np.nan, 1.5], rtol=1e-5)
    assert logs["grad_clipped"] == 1.0


def test_a_control_of_micro_batches_counts_as_clipping():
    """Norms 4, 2, 1, 3 against the least of those so far: the last one is clipped to 1."""
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=2)
    monitor, logs = one_weight([4.0, 2.0, 1.0, 3.0], optimizer, [AutoClip(0)])
    np.testing.assert_allclose(monitor.record["applied_grad_norm"], [np.nan, 3.0, np.nan, 1.0], rtol=1e-5)
    assert logs["grad_clipped"] == 1.0


def test_record_is_in_the_run_directory_under_the_same_names(tmp_path):
    model, monitor = conv_model(), GradientMonitor()
    model.compile("sgd", "mse")
    recorder = RunRecorder(tmp_path / "run", save_best=None, monitors=[monitor])
    fit(model, conv_data(), epochs=2, callbacks=[monitor, recorder])
    read = unetdyn.runs.open(tmp_path / "run").arrays("gradient")
    assert read.keys() == monitor.record.keys()
    for name, values in monitor.record.items():
        if isinstance(values, dict):
            assert list(read[name]) == list(values)
            for block, series in values.items():
                np.testing.assert_array_equal(read[name][block], series)
        else:
            np.testing.assert_array_equal(read[name], values)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"vanish": 20}, r"`vanish` and `explode` must be numbers with 0 ≤ .*\. Received: vanish=20, explode=10\.0"),
        ({"vanish": -1}, r"Received: vanish=-1"),
        ({"explode": float("nan")}, r"explode=nan"),
        ({"explode": "a"}, r"Received: vanish=1e-06, explode='a'"),
        ({"explode": True}, r"explode=True"),
        ({"spike": -2}, r"`spike` must be a finite number above 0\. Received: spike=-2"),
        ({"spike": True}, r"Received: spike=True"),
        ({"window": 2}, r"`window` must be a whole number of steps, 4 or more\. Received: window=2"),
    ],
)
def test_monitor_refuses_thresholds_that_mean_nothing(kwargs, text):
    with pytest.raises(ValueError, match=text):
        GradientMonitor(**kwargs)


def test_a_sound_training_is_no_trouble():
    monitor, logs = one_weight([1.0, 1.2, 0.9, 1.1])
    assert monitor.first_nonfinite is None
    assert monitor.messages == ()
    assert {name: value for name, value in logs.items() if name.startswith("grad_") and value} == {
        "grad_norm": pytest.approx(1.05, rel=1e-5),
        "grad_norm_max": pytest.approx(1.2, rel=1e-5),
    }
