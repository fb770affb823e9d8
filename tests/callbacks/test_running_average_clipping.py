"""RunningAverageClipping against its formula in NumPy, step by step, and what becomes of its average."""

import keras
import numpy as np
import pytest

from linear_training import LEARNING_RATE, batches, gradient, linear_model, train
from unetdyn.callbacks.running_average_clipping import RunningAverageClipping

BACKEND = keras.backend.backend()


def average(norms, decay):
    """By its definition: the k-th latest norm counts decayᵏ."""
    weights = float(decay) ** np.arange(len(norms))[::-1]
    return np.sum(weights * norms) / np.sum(weights)


def clipping_in_numpy(w, x, y, alpha, decay):
    """C_t = α × running average, with stochastic gradient descent."""
    norms, weights, limits, coefficients = [], [], [], []
    for a, b in zip(np.float64(x), np.float64(y), strict=True):
        g = gradient(w, a, b)
        limits.append(alpha * average(norms, decay) if norms else np.inf)
        norms.append(np.linalg.norm(g))
        coefficients.append(min(1.0, limits[-1] / norms[-1]))
        w = w - LEARNING_RATE * coefficients[-1] * g
        weights.append(w)
    return weights, norms, limits, coefficients


@pytest.mark.parametrize(("alpha", "decay"), [(2, 0.99), (1, 0.5), (0.3, 1), (1.5, 0)])
def test_running_average_clipping_follows_the_formula_step_by_step(alpha, decay):
    model, (x, y) = linear_model(), batches(12)
    weights, norms, limits, coefficients = clipping_in_numpy(model.get_weights()[0], x, y, alpha, decay)
    clip = RunningAverageClipping(alpha, decay)
    seen, history = train(model, clip, x, y)
    assert 0 < sum(coefficient < 1 for coefficient in coefficients) < 12
    np.testing.assert_allclose(seen, weights, rtol=1e-5, atol=1e-6)
    assert clip.record["step"].tolist() == list(range(12))
    np.testing.assert_allclose(clip.record["grad_norm"], norms, rtol=1e-5)
    np.testing.assert_allclose(clip.record["clip_norm"], limits, rtol=1e-5)
    np.testing.assert_allclose(clip.record["clip_coefficient"], coefficients, rtol=1e-5)
    assert history["running_average_clip_fraction"] == [pytest.approx(np.mean(np.array(coefficients) < 1))]
    assert history["running_average_clip_norm"] == [pytest.approx(limits[-1], rel=1e-5)]


def test_running_average_clipping_with_a_large_alpha_changes_nothing():
    plain, clipped, (x, y) = linear_model(), linear_model(), batches(6)
    train(plain, keras.callbacks.Callback(), x, y)
    clip = RunningAverageClipping(1e9)
    train(clipped, clip, x, y)
    np.testing.assert_allclose(clipped.get_weights()[0], plain.get_weights()[0], rtol=1e-6 if BACKEND == "jax" else 0)
    assert clip.messages == ()


def test_a_spike_does_not_raise_its_own_limit():
    x, y = batches(5, seed=1)
    y[4] *= 1000
    clip = RunningAverageClipping(2.0)
    train(linear_model(), clip, x, y)
    norms = clip.record["grad_norm"]
    assert norms[4] > 100 * norms[:4].max()
    assert clip.record["clip_norm"][4] == pytest.approx(2 * average(np.float64(norms[:4]), 0.99), rel=1e-5)


@pytest.mark.parametrize("initial_epoch", [0, 1])
def test_the_average_is_carried_into_the_next_fit(initial_epoch):
    x, y = batches(10)
    whole, parts = linear_model(), linear_model()
    expected, _ = train(whole, RunningAverageClipping(1.0, 0.9), x, y)
    clip = RunningAverageClipping(1.0, 0.9)
    train(parts, clip, x[:7], y[:7])
    seen, _ = train(parts, clip, x[7:], y[7:], initial_epoch=initial_epoch, epochs=initial_epoch + 1)
    if BACKEND == "jax":
        np.testing.assert_allclose(seen, expected[7:], rtol=1e-6)
    else:
        np.testing.assert_array_equal(seen, expected[7:])
    assert len(clip.record["step"]) == 10


def test_another_model_begins_without_an_average():
    x, y = batches(5)
    clip = RunningAverageClipping(1.0)
    first, _ = train(linear_model(), clip, x, y)
    with pytest.warns(UserWarning, match="RunningAverageClipping begins anew.*another model"):
        second, _ = train(linear_model(), clip, x, y)
    np.testing.assert_array_equal(second, first)


def test_norms_that_are_not_finite_do_not_enter():
    x, y = batches(4)
    broken = np.insert(x, 2, np.nan, axis=0), np.insert(y, 2, 0, axis=0)
    clip = RunningAverageClipping(1.5, 0.9)
    train(linear_model(), clip, *broken)
    norms = np.float64(clip.record["grad_norm"])
    assert np.isnan(norms[2:]).all()
    expected = [np.inf, 1.5 * norms[0], *[1.5 * average(norms[:2], 0.9)] * 3]
    np.testing.assert_allclose(clip.record["clip_norm"], expected, rtol=1e-5)
    assert clip.record["clip_coefficient"][2:].tolist() == [1, 1, 1]


def test_a_finite_gradient_whose_norm_overflows_becomes_0():
    x, y = batches(3)
    x[1], y[1] = 1.0, -1e25
    seen, _ = train(linear_model(), RunningAverageClipping(), x, y)
    np.testing.assert_array_equal(seen[1], seen[0])
    assert (seen[2] != seen[1]).all()


def test_micro_batches_are_clipped_under_accumulation():
    """Each by the norms of the micro-batches before it; the update is by their mean."""
    x, y = batches(6)
    model = linear_model(keras.optimizers.SGD(LEARNING_RATE, gradient_accumulation_steps=2))
    w = np.float64(model.get_weights()[0])
    norms, limits, mean = [], [], 0
    for step, (a, b) in enumerate(zip(np.float64(x), np.float64(y), strict=True)):
        g = gradient(w, a, b)
        limits.append(average(norms, 0.9) if norms else np.inf)
        norms.append(np.linalg.norm(g))
        mean = mean + g * min(1.0, limits[-1] / norms[-1]) / 2
        if step % 2:
            w, mean = w - LEARNING_RATE * mean, 0
    clip = RunningAverageClipping(1.0, 0.9)
    seen, _ = train(model, clip, x, y)
    np.testing.assert_allclose(clip.record["clip_norm"], limits, rtol=1e-5)
    np.testing.assert_allclose(seen[-1], w, rtol=1e-5)


def test_unscaled_gradients_are_clipped_under_a_loss_scale():
    x, y = batches(8)
    inner = keras.optimizers.SGD(LEARNING_RATE)
    scaled = linear_model(keras.optimizers.LossScaleOptimizer(inner, initial_scale=256.0))
    weights, _, limits, _ = clipping_in_numpy(scaled.get_weights()[0], x, y, 1.0, 0.9)
    clip = RunningAverageClipping(1.0, 0.9)
    seen, _ = train(scaled, clip, x, y)
    np.testing.assert_allclose(seen, weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(clip.record["clip_norm"], limits, rtol=1e-5)


def test_it_says_what_it_did(capsys):
    x, y = batches(6)
    clip = RunningAverageClipping(0.5, verbose=1)
    train(linear_model(), clip, x, y)
    clipped = int((clip.record["clip_coefficient"] < 1).sum())
    said = f"Epoch 1: RunningAverageClipping: {clipped} of 6 steps clipped, to norms from "
    assert said in capsys.readouterr().out
    assert "(0.5 × the running average)" in clip.messages[0][1]


def test_a_single_step_has_no_limit_to_log():
    _, history = train(linear_model(), RunningAverageClipping(), *batches(1))
    assert history["running_average_clip_fraction"] == [0.0]
    assert "running_average_clip_norm" not in history


def test_config_makes_another():
    clip = RunningAverageClipping(1.5, 0.9, verbose=1, name="usual")
    assert RunningAverageClipping(**clip.get_config()).get_config() == clip.get_config()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"alpha": 0}, r"`alpha` must be a finite number above 0. Received: alpha=0"),
        ({"alpha": "two"}, r"Received: alpha='two'"),
        ({"decay": 1.1}, r"`decay` must lie between 0 and 1. Received: decay=1.1"),
        ({"decay": float("nan")}, r"Received: decay=nan"),
    ],
)
def test_bad_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        RunningAverageClipping(**kwargs)


def test_alpha_that_is_set_between_epochs_holds_without_compiling_anew():
    """A limit of α/2 of equal norms, from the epoch on after which it was set."""

    class Set(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            clip.alpha = 0.5

    traced = []

    def loss(y, p):
        traced.append(1)
        return keras.ops.mean(p, axis=-1)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), loss)
    clip, x = RunningAverageClipping(2.0, decay=1), np.ones((3, 1))
    fit = {"batch_size": 1, "verbose": 0}
    model.fit(x, x, epochs=1, callbacks=[clip], **fit)
    before = len(traced)
    clip.alpha = 1.0
    model.fit(x, x, epochs=2, callbacks=[clip, Set()], **fit)
    np.testing.assert_allclose(clip.record["clip_norm"], [np.inf, 2, 2, 1, 1, 1, 0.5, 0.5, 0.5], rtol=1e-6)
    if BACKEND == "tensorflow":
        assert len(traced) == before
    with pytest.raises(ValueError, match="`alpha` must be a finite number above 0"):
        clip.alpha = 0
