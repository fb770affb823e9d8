"""What every monitor owes its user: a training that goes exactly as it would have gone without it."""

import functools

import keras
import numpy as np
import pytest

from monitored_units import MONITORS

BACKEND = keras.config.backend()

WAYS_TO_TRAIN = {
    "plain": {},
    "bfloat16": {"dtype": "mixed_bfloat16"},
    "eager": {"run_eagerly": True},
    "jit": {"jit_compile": True},
    "several steps an execution": {"steps_per_execution": 2},
    "gradient accumulation": {"gradient_accumulation_steps": 2},
}
NOT_SUPPORTED = {
    ("torch", "jit"): "torch.compile takes minutes and a C++ compiler",
    ("torch", "several steps an execution"): "Keras refuses steps_per_execution > 1 on PyTorch",
}


@pytest.fixture(params=MONITORS)
def monitor(request, tmp_path):
    return MONITORS[request.param](tmp_path)


@pytest.fixture(params=WAYS_TO_TRAIN)
def way(request):
    reason = NOT_SUPPORTED.get((BACKEND, request.param))
    if reason:
        pytest.skip(reason)
    return request.param


def make_model(dtype="float32", gradient_accumulation_steps=None, **compile_arguments):
    """Small, with every kind of state: weights, moving statistics, the seed of a dropout, the optimizer's."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, activation="relu", dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            keras.layers.Dropout(0.5, seed=2, dtype=dtype),
            keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=gradient_accumulation_steps)
    model.compile(optimizer, "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy()], **compile_arguments)
    return model


def fit(model, callbacks, epochs=3, initial_epoch=0, seed=3):
    """The order of the samples is drawn from the global seed: a monitor that draws from it would change the order."""
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(0).random((16, 4)).astype("float32")
    y = (x[:, :1] > 0.5).astype("float32")
    return model.fit(
        x[:12],
        y[:12],
        batch_size=3,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=True,
        validation_data=(x[12:], y[12:]),
        verbose=0,
        callbacks=callbacks,
    )


def state(model):
    """Weights, moving statistics, metrics, seeds and the optimizer's variables, by path."""
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable.value).astype("float64") for variable in variables]


def assert_same(watched, plain):
    """Equal to the last bit; on JAX to rounding, since XLA may fuse two traces of one program differently."""
    for left, right in zip(watched, plain, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6 if BACKEND == "jax" else 0)


def assert_same_logs(watched, plain):
    """Whatever is logged without the monitor is logged with it, with the same values."""
    assert_same([watched[name] for name in plain], plain.values())


@functools.cache
def unwatched(way):
    """State and history of a training without any monitor."""
    model = make_model(**WAYS_TO_TRAIN[way])
    history = fit(model, []).history
    return state(model), history


def test_monitor_leaves_training_as_it_is(monitor, way):
    model = make_model(**WAYS_TO_TRAIN[way])
    history = fit(model, [monitor]).history
    plain_state, plain_history = unwatched(way)
    assert_same(state(model), plain_state)
    assert_same_logs(history, plain_history)


def test_contract_can_fail():
    """A callback that only looks at outputs, but in training mode, moves a dropout's seed, and that is noticed."""

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model(np.zeros((1, 4)), training=True)

    model = make_model()
    fit(model, [Look()])
    with pytest.raises(AssertionError):
        assert_same(state(model), unwatched("plain")[0])


def test_monitor_bears_a_second_fit_that_carries_on(monitor):
    plain, watched = make_model(), make_model()
    fit(plain, [], epochs=2)
    plain_history = fit(plain, [], epochs=3, initial_epoch=2).history
    fit(watched, [monitor], epochs=2)
    watched_history = fit(watched, [monitor], epochs=3, initial_epoch=2).history
    assert_same(state(watched), state(plain))
    assert_same_logs(watched_history, plain_history)


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("stopped by another callback")


def test_monitor_leaves_a_usable_model_after_an_error_elsewhere(monitor, tmp_path):
    """Keras calls no callback when training raises; the model must train on and be saved all the same."""
    plain, watched = make_model(), make_model()
    for model, callbacks in ((plain, [Stop()]), (watched, [monitor, Stop()])):
        with pytest.raises(RuntimeError, match="stopped by another callback"):
            fit(model, callbacks)
        fit(model, [], epochs=1)
    assert_same(state(watched), state(plain))
    watched.save(tmp_path / "after.keras")
    assert_same(keras.saving.load_model(tmp_path / "after.keras").get_weights(), plain.get_weights())
