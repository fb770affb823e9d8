"""AutoClip against its algorithm in NumPy, step by step, and what becomes of its history."""

import keras
import numpy as np
import pytest

from linear_training import LEARNING_RATE, batches, gradient, linear_model, train
from unetdyn.callbacks.adaptive_gradient_clipping import AdaptiveGradientClipping
from unetdyn.callbacks.auto_clip import AutoClip


def auto_clip_in_numpy(w, x, y, q, window=None):
    """Algorithm 1 of the paper, with stochastic gradient descent."""
    norms, weights, limits, coefficients = [], [], [], []
    for a, b in zip(np.float64(x), np.float64(y), strict=True):
        g = gradient(w, a, b)
        norms.append(np.linalg.norm(g))
        limits.append(np.percentile(norms[-window:] if window else norms, q))
        coefficients.append(min(1.0, limits[-1] / norms[-1]))
        w = w - LEARNING_RATE * coefficients[-1] * g
        weights.append(w)
    return weights, norms, limits, coefficients


@pytest.mark.parametrize(("q", "window"), [(10, None), (37.5, 5), (0, 4), (100, 4)])
def test_auto_clip_follows_the_algorithm_step_by_step(q, window):
    model, (x, y) = linear_model(), batches(12)
    weights, norms, limits, coefficients = auto_clip_in_numpy(model.get_weights()[0], x, y, q, window)
    clip = AutoClip(percentile=q, **({"history": window} if window else {}))
    seen, history = train(model, clip, x, y)
    np.testing.assert_allclose(seen, weights, rtol=1e-5, atol=1e-6)
    assert clip.record["step"].tolist() == list(range(12))
    np.testing.assert_allclose(clip.record["grad_norm"], norms, rtol=1e-5)
    np.testing.assert_allclose(clip.record["clip_norm"], limits, rtol=1e-5)
    np.testing.assert_allclose(clip.record["clip_coefficient"], coefficients, rtol=1e-5)
    assert history["auto_clip_fraction"] == [pytest.approx(np.mean(np.array(coefficients) < 1 - 1e-6))]
    assert history["auto_clip_norm"] == [pytest.approx(limits[-1], rel=1e-5)]


def test_auto_clip_at_100_changes_nothing():
    plain, clipped, (x, y) = linear_model(), linear_model(), batches(6)
    train(plain, keras.callbacks.Callback(), x, y)
    clip = AutoClip(percentile=100)
    train(clipped, clip, x, y)
    tolerance = 1e-6 if keras.backend.backend() == "jax" else 0
    np.testing.assert_allclose(clipped.get_weights()[0], plain.get_weights()[0], rtol=tolerance)
    assert clip.messages == ()


@pytest.mark.parametrize("initial_epoch", [0, 1])
def test_auto_clip_carries_its_history_into_the_next_fit(initial_epoch):
    x, y = batches(10)
    whole, parts = linear_model(), linear_model()
    expected, _ = train(whole, AutoClip(history=6), x, y)
    clip = AutoClip(history=6)
    train(parts, clip, x[:7], y[:7])
    seen, _ = train(parts, clip, x[7:], y[7:], initial_epoch=initial_epoch, epochs=initial_epoch + 1)
    np.testing.assert_allclose(seen, expected[7:], rtol=1e-6)
    assert len(clip.record["step"]) == 10


def test_auto_clip_carries_its_history_over_an_exception():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 6:
                raise RuntimeError("stopped")

    x, y = batches(10)
    whole, parts = linear_model(), linear_model()
    expected, _ = train(whole, AutoClip(history=6), x, y)
    clip = AutoClip(history=6)
    with pytest.raises(RuntimeError, match="stopped"):
        parts.fit(x.reshape(-1, 3), y.reshape(-1, 1), batch_size=4, shuffle=False, verbose=0, callbacks=[clip, Stop()])
    seen, _ = train(parts, clip, x[7:], y[7:])
    np.testing.assert_allclose(seen, expected[7:], rtol=1e-6)


def test_auto_clip_begins_with_no_history_on_another_model():
    x, y = batches(5)
    clip = AutoClip()
    first, _ = train(linear_model(), clip, x, y)
    with pytest.warns(UserWarning, match="AutoClip begins anew.*another model"):
        second, _ = train(linear_model(), clip, x, y)
    np.testing.assert_array_equal(second, first)


def test_auto_clip_leaves_norms_that_are_not_finite_out():
    x, y = batches(4)
    broken = np.insert(x, 2, np.nan, axis=0), np.insert(y, 2, 0, axis=0)
    model, clip = linear_model(), AutoClip(percentile=50)
    weights, _, limits, _ = auto_clip_in_numpy(model.get_weights()[0], x[:2], y[:2], 50)
    seen, _ = train(model, clip, *broken)
    np.testing.assert_allclose(seen[1], weights[1], rtol=1e-5)
    assert np.isnan(seen[2]).all()
    assert np.isnan(clip.record["grad_norm"][2:]).all()
    np.testing.assert_allclose(clip.record["clip_norm"], [*limits, *limits[-1:] * 3], rtol=1e-5)
    assert clip.record["clip_coefficient"][2:].tolist() == [1, 1, 1]


@pytest.mark.parametrize("control", [AutoClip(100), AdaptiveGradientClipping()], ids=["auto_clip", "agc"])
def test_a_finite_gradient_whose_norm_overflows_becomes_0(control):
    """Unclipped it would put an end to the training: 1e25 is far beyond every other gradient."""
    x, y = batches(3)
    x[1], y[1] = 1.0, -1e25
    model = linear_model()
    seen, _ = train(model, control, x, y)
    np.testing.assert_array_equal(seen[1], seen[0])
    assert (seen[2] != seen[1]).all()


def test_auto_clip_acts_on_what_an_earlier_control_left():
    x, y = batches(8)
    model = linear_model()
    first, second = AdaptiveGradientClipping(0.05), AutoClip(percentile=0)
    model.fit(x.reshape(-1, 3), y.reshape(-1, 1), batch_size=4, shuffle=False, verbose=0, callbacks=[first, second])
    assert first.record["clip_fraction"].all()
    assert (second.record["grad_norm"] <= 0.05 * 2.5).all()  # ‖w‖ starts at 2.29


def test_auto_clip_says_what_it_did(capsys):
    x, y = batches(6)
    clip = AutoClip(percentile=0, verbose=1)
    train(linear_model(), clip, x, y)
    printed = capsys.readouterr().out
    clipped = int((clip.record["clip_coefficient"] < 1).sum())
    assert f"Epoch 1: AutoClip: {clipped} of 6 steps clipped, to norms from " in printed
    assert "percentile 0 of the latest 6" in printed


def test_auto_clip_under_a_loss_scale_clips_unscaled_gradients():
    x, y = batches(8)
    inner = keras.optimizers.SGD(LEARNING_RATE)
    scaled = linear_model(keras.optimizers.LossScaleOptimizer(inner, initial_scale=256.0))
    weights, _, limits, _ = auto_clip_in_numpy(scaled.get_weights()[0], x, y, 10)
    clip = AutoClip()
    seen, _ = train(scaled, clip, x, y)
    np.testing.assert_allclose(seen, weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(clip.record["clip_norm"], limits, rtol=1e-5)


def test_auto_clip_config_makes_another():
    clip = AutoClip(25, history=7, verbose=1, name="quarter")
    assert AutoClip(**clip.get_config()).get_config() == clip.get_config()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"percentile": 101}, r"`percentile` must be a number from 0 to 100. Received: percentile=101"),
        ({"percentile": "ten"}, r"Received: percentile='ten'"),
        ({"percentile": float("nan")}, r"Received: percentile=nan"),
        ({"history": 0}, r"`history` must be a whole number of steps, 1 or more. Received: history=0"),
        ({"history": 10.0}, r"Received: history=10.0"),
    ],
)
def test_auto_clip_refuses_bad_arguments(kwargs, text):
    with pytest.raises(ValueError, match=text):
        AutoClip(**kwargs)
