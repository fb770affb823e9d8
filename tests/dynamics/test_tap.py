import keras
import numpy as np
import pytest

from tap_models import (
    Batches,
    assert_same_weights,
    brute_force,
    conv_data,
    conv_model,
    dense_data,
    dense_model,
    fit,
    gradients,
    optimizer_state,
    squares,
    weights_of,
)
from unetdyn.dynamics import OptimizerTap, detach_all

BACKEND = keras.backend.backend()


def trained(optimizer, tapped, epochs=2, **compile_kwargs):
    model = conv_model()
    model.compile(optimizer, "mse", **compile_kwargs)
    tap = OptimizerTap(model, capacity=4) if tapped else None
    fit(model, conv_data(), epochs=epochs)
    if not tapped:
        return model, None
    rows = tap.read()
    tap.detach()
    return model, rows


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "sgd momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "clipnorm": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
    "clipvalue": lambda: keras.optimizers.SGD(0.01, clipvalue=0.01),
    "global_clipnorm, decay": lambda: keras.optimizers.AdamW(0.01, global_clipnorm=0.1, weight_decay=0.1),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "ema": lambda: keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "loss scale factor": lambda: keras.optimizers.Adam(0.01, loss_scale_factor=64.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_tap_measures_what_a_second_pass_does_and_leaves_training_undisturbed(name):
    model = conv_model()
    model.compile(OPTIMIZERS[name](), "mse")
    expected = brute_force(model, conv_data())
    tapped, rows = trained(OPTIMIZERS[name](), tapped=True, epochs=1)
    assert_same_weights(weights_of(model), weights_of(tapped))
    assert_same_weights(optimizer_state(model), optimizer_state(tapped))
    assert list(rows.step) == list(range(6))
    np.testing.assert_allclose(np.sqrt(rows.grad_norm_sq), np.sqrt(expected["grad"]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rows.weight_norm_sq, expected["weight"], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(rows.update_norm_sq), np.sqrt(expected["update"]), rtol=2e-4, atol=1e-7)
    assert not rows.nonfinite.any()


@pytest.mark.skipif(BACKEND != "torch", reason="elsewhere a device does what the host does")
def test_a_device_measures_what_the_host_does(monkeypatch):
    model, rows = trained(OPTIMIZERS["clipnorm"](), tapped=True)
    monkeypatch.setattr("unetdyn.dynamics.backend.torch._on_host", lambda tensor: False)
    there, found = trained(OPTIMIZERS["clipnorm"](), tapped=True)
    assert_same_weights(weights_of(model), weights_of(there))
    for name in ("grad_norm_sq", "weight_norm_sq", "update_norm_sq", "nonfinite", "applied_grad_norm", "iteration"):
        np.testing.assert_allclose(getattr(found, name), getattr(rows, name), rtol=1e-5)


def test_what_is_kept_of_rows_keeps_no_table():
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, lambda step: {"rate": step.learning_rate})
    for _ in range(2):  # the first step is read by itself, and joined with the others
        fit(model, dense_data(20))
        rows = tap.read()
    assert rows.learning_rate.base is None
    assert rows.extra["rate"].base is None
    with pytest.raises(ValueError, match="read-only"):
        rows.grad_norm_sq[0] = 0  # other taps have the same array


def test_tap_returns_every_step_once_whatever_the_capacity():
    model = dense_model()
    model.compile("sgd", "mse")
    small, large = OptimizerTap(model, capacity=2), OptimizerTap(model, capacity=3)
    read = []
    for _ in range(3):
        fit(model, dense_data(20))
        read.append(small.read())
    assert [list(rows.step) for rows in read] == [list(range(5 * i, 5 * i + 5)) for i in range(3)]
    assert list(large.read().step) == list(range(15))
    assert len(large.read()) == 0
    np.testing.assert_array_equal(large.read().grad_norm_sq.shape, (0, 2))


def test_read_within_an_epoch_gives_the_steps_so_far():
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, capacity=2)
    counts = []
    fit(model, dense_data(20), callbacks=[Batches(lambda batch: counts.append(list(tap.read().step)))])
    assert counts == [[0], [1], [2], [3], [4]]


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on PyTorch")
@pytest.mark.parametrize("capacity", [1, 5, 100])
def test_steps_per_execution_hides_no_step(capacity):
    rows = []
    for steps in (1, 4):
        model = dense_model()
        model.compile(keras.optimizers.SGD(0.01), "mse", steps_per_execution=steps)
        tap = OptimizerTap(model, capacity=capacity)
        fit(model, dense_data(28), epochs=2)
        rows.append(tap.read())
    assert list(rows[1].step) == list(range(14))
    np.testing.assert_allclose(rows[1].grad_norm, rows[0].grad_norm, rtol=1e-5)


@pytest.mark.parametrize(
    "kwargs", [{"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}], ids=["eager", "no jit", "jit"]
)
def test_tap_works_however_the_step_is_compiled(kwargs):
    if BACKEND == "torch" and kwargs.get("jit_compile"):
        pytest.skip("torch.compile takes minutes here")
    plain, _ = trained(keras.optimizers.Adam(0.01), tapped=False, **kwargs)
    tapped, rows = trained(keras.optimizers.Adam(0.01), tapped=True, **kwargs)
    _, reference = trained(keras.optimizers.Adam(0.01), tapped=True)
    assert_same_weights(weights_of(plain), weights_of(tapped), rounding=kwargs.get("jit_compile", False))
    np.testing.assert_allclose(rows.grad_norm, reference.grad_norm, rtol=1e-3)


def test_rows_carry_the_learning_rate_applied():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    _, rows = trained(keras.optimizers.SGD(schedule), tapped=True)
    np.testing.assert_allclose(rows.learning_rate, 0.1 * 0.5 ** np.arange(12), rtol=1e-6)


def test_learning_rate_set_by_a_callback_is_seen():
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.5), "mse")
    tap = OptimizerTap(model)
    fit(
        model,
        dense_data(8),
        epochs=2,
        callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))],
    )
    np.testing.assert_allclose(tap.read().learning_rate, [0.1, 0.1, 0.05, 0.05], rtol=1e-6)


@pytest.mark.parametrize("kwargs", [{"clipnorm": 0.05}, {"global_clipnorm": 0.05}, {"clipvalue": 0.01}, {}], ids=str)
def test_rows_tell_how_much_was_clipped(kwargs):
    model = conv_model()
    model.compile(keras.optimizers.SGD(0.01, **kwargs), "mse")
    batch = [part[:4] for part in conv_data()]
    raw = [g.astype("float64") for g in gradients(model, *batch)]
    total = np.sqrt(sum(map(squares, raw)))
    if "clipnorm" in kwargs:
        raw = [g * min(1, 0.05 / np.sqrt(squares(g))) for g in raw]
    elif "global_clipnorm" in kwargs:
        raw = [g * min(1, 0.05 / total) for g in raw]
    elif "clipvalue" in kwargs:
        raw = [np.clip(g, -0.01, 0.01) for g in raw]
    tap = OptimizerTap(model)
    model.train_on_batch(*batch)
    rows = tap.read()
    np.testing.assert_allclose(rows.applied_grad_norm, [np.sqrt(sum(map(squares, raw)))], rtol=1e-5)
    np.testing.assert_allclose(rows.grad_norm, [total], rtol=1e-5)


def test_accumulation_tells_micro_batches_from_updates():
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=3, clipvalue=0.05), "mse")
    x, y = dense_data(12)
    micro = [gradients(model, x[i : i + 2], y[i : i + 2]) for i in (0, 2, 4)]
    mean = [np.mean(parts, axis=0) for parts in zip(*micro, strict=True)]
    tap = OptimizerTap(model)
    fit(model, (x, y), batch_size=2)
    rows = tap.read()
    assert list(rows.applied) == [False, False, True] * 2
    np.testing.assert_allclose(rows.grad_norm_sq[:3], [[squares(g) for g in part] for part in micro], rtol=1e-5)
    np.testing.assert_allclose(rows.accumulated_grad_norm_sq[2], [squares(g) for g in mean], rtol=1e-5)
    assert np.isnan(rows.accumulated_grad_norm_sq[[0, 1, 3, 4]]).all()
    clipped = np.sqrt(sum(squares(np.clip(g, -0.05, 0.05)) for g in mean))
    np.testing.assert_allclose(rows.applied_grad_norm[2], clipped, rtol=1e-5)
    assert (rows.update_norm_sq[[0, 1, 3, 4]] == 0).all()


def test_nonfinite_entries_are_counted_where_they_are():
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    tap = OptimizerTap(model)
    x = np.ones((2, 3), "float32")
    x[0, 1] = np.inf
    model.train_on_batch(np.ones((2, 3), "float32"), np.ones((2, 1)))
    model.train_on_batch(x, np.ones((2, 1)))
    rows = tap.read()
    assert rows.nonfinite.tolist() == [[0, 0], [3, 1]]
    assert rows.nonfinite.dtype == np.int64


def test_steps_continue_from_the_optimizers_iterations_and_stay_exact():
    model = dense_model()
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(2**24 + 1)
    tap = OptimizerTap(model, capacity=2)
    fit(model, dense_data(16))
    rows = tap.read()
    assert list(rows.step) == list(rows.iteration) == [2**24 + 1 + i for i in range(4)]


def test_frozen_layers_keep_their_columns_out_of_the_way():
    model = conv_model()
    model.layers[1].trainable = False
    model.compile("sgd", "mse")
    tap = OptimizerTap(model)
    fit(model, conv_data())
    assert [v.path for v in tap.variables] == [v.path for v in model.trainable_variables]
    assert tap.read().grad_norm_sq.shape == (6, 4)


def test_recompile_between_fits_needs_and_gets_a_new_tap():
    model = conv_model()
    model.compile("sgd", "mse")
    first = OptimizerTap(model)
    fit(model, conv_data())
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    second = OptimizerTap(model)
    first.detach()
    fit(model, conv_data())
    assert first.read().grad_norm_sq.shape == (6, 6)
    assert second.read().grad_norm_sq.shape == (6, 4)
    second.detach()
    fit(model, conv_data())


def test_variable_without_gradient_counts_as_zero():
    inputs = keras.Input((3,))
    used, unused = keras.layers.Dense(1, name="used"), keras.layers.Dense(1, name="unused")
    model = keras.Model(inputs, {"a": used(inputs), "b": unused(inputs)})
    model.compile("sgd", {"a": "mse"})
    x, y = dense_data()
    tap = OptimizerTap(model)
    if BACKEND == "jax":
        model.fit(x, {"a": y}, verbose=0)
    else:
        with pytest.warns(UserWarning, match="Gradients do not exist"):
            model.fit(x, {"a": y}, verbose=0)
    rows = tap.read()
    unused_columns = [i for i, v in enumerate(tap.variables) if "unused" in v.path]
    assert (rows.grad_norm_sq[:, unused_columns] == 0).all()
    assert (rows.update_norm_sq[:, unused_columns] == 0).all()
    assert (rows.grad_norm > 0).all()


def test_model_that_is_not_built_is_measured_from_its_first_step():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    tap = OptimizerTap(model)
    fit(model, dense_data())
    assert len(tap.variables) == 4
    assert list(tap.read().step) == [0, 1, 2]


def test_embedding_gradients_are_summed_over_repeated_indices():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,), dtype="int32")
    x = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    x, y = np.array([[0, 0, 1, 1], [0, 2, 2, 4]]), np.ones((2, 1), "float32")
    kernel = keras.ops.convert_to_numpy(model.layers[-1].kernel).reshape(4, 2).astype("float64")
    error = 2 * (model.predict(x, verbose=0) - y) / len(x)
    expected = np.zeros((5, 2))
    for sample, residual in zip(x, error[:, 0], strict=True):
        for place, index in enumerate(sample):
            expected[index] += residual * kernel[place]
    tap = OptimizerTap(model)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(tap.read().grad_norm_sq[0, 0], squares(expected), rtol=1e-4)


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has 64 bits only where they are asked for before it starts")
def test_update_of_a_float64_model_is_measured_before_rounding():
    """Gradient descent's is the rate times the gradient; in float32 the weights do not move at this rate."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,), dtype="float64"), keras.layers.Dense(1, dtype="float64")])
    model.compile(keras.optimizers.SGD(1e-9), "mse")
    tap = OptimizerTap(model)
    fit(model, dense_data())
    rows = tap.read()
    tap.detach()
    np.testing.assert_allclose(np.sqrt(rows.update_norm_sq), 1e-9 * np.sqrt(rows.grad_norm_sq), rtol=1e-6)


def test_tap_refuses_a_model_without_optimizer():
    with pytest.raises(ValueError, match="`model` must have been compiled with an optimizer"):
        OptimizerTap(dense_model())


def test_tap_refuses_a_capacity_below_one():
    model = dense_model()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"`capacity` must be a whole number of rows, 1 or more\. Received: "):
        OptimizerTap(model, capacity=0)


def test_rows_overwritten_unread_are_reported():
    model = dense_model()
    model.compile("sgd", "mse")
    tap = OptimizerTap(model, capacity=2)
    model.make_train_function(force=True)  # takes away what empties the ring in time
    fit(model, dense_data(20))
    with pytest.warns(UserWarning, match="3 training steps were overwritten"):
        rows = tap.read()
    assert list(rows.step) == [3, 4]
    detach_all(model)


def test_listener_gets_each_row_once_while_the_tap_is_attached_and_after():
    """A full ring brings rows in the midst of an epoch; those left at the end come after `on_detach`."""
    model, heard = dense_model(), []
    model.compile("sgd", "mse")
    tap = OptimizerTap(
        model,
        capacity=2,
        on_rows=lambda rows: heard.append(rows.step.tolist()),
        on_detach=lambda: heard.append("detached"),
    )
    fit(model, dense_data(20))
    assert heard == [[0], [1, 2]]  # the ring is read after the first step too
    tap.detach()
    tap.detach()
    assert heard[2:] == ["detached", [3, 4]]
    assert tap.read().step.tolist() == list(range(5))
