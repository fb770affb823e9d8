"""AdaptiveGradientClipping against equation 3 in NumPy, step by step, on every kind of kernel a U-Net has."""

import keras
import numpy as np
import pytest

from tap_models import gradients, weights_of
from unetdyn.callbacks.adaptive_gradient_clipping import AdaptiveGradientClipping
from unetdyn.dynamics import detach_all

LEARNING_RATE = 0.1
OUTPUT_AXIS = {"enc1_conv": -1, "dec1_up": -2, "head_conv": -1}


def small_unet(optimizer=None):
    keras.utils.set_random_seed(7)
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 3, padding="same", name="enc1_conv")(inputs)
    x = keras.layers.LayerNormalization(name="enc1_norm")(x)
    x = keras.layers.Dense(4, activation="tanh", name="bottleneck_dense")(x)
    x = keras.layers.Conv2DTranspose(3, 2, name="dec1_up")(x)
    outputs = keras.layers.Conv2D(2, 1, name="head_conv")(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer or keras.optimizers.SGD(LEARNING_RATE), "mse")
    return model


def data():
    rng, samples = np.random.default_rng(3), 20
    x = rng.normal(size=(samples, 4, 4, 2)) * rng.lognormal(0, 1, (samples, 1, 1, 1))
    return x.astype("float32"), rng.normal(size=(samples, 5, 5, 2)).astype("float32")


class Weights(keras.callbacks.Callback):
    """The weights after each batch; on JAX they are in the model only after `self.model` has been asked for."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(weights_of(self.model))


def fit(model, callbacks, **kwargs):
    x, y = data()
    return model.fit(x, y, **{"batch_size": 4, "shuffle": False, "verbose": 0, "callbacks": callbacks} | kwargs).history


def clipped_in_numpy(weight, gradient, layer, clipping, eps):
    """Equation 3 by a loop over units; vectors are one unit. Returns the gradient and (clipped, all) units."""
    if weight.ndim < 2:
        units = [(...,)]
    else:
        axis = OUTPUT_AXIS.get(layer, -1) % weight.ndim
        units = [(*[slice(None)] * axis, unit) for unit in range(weight.shape[axis])]
    gradient, count = np.float64(gradient), 0
    for unit in units:
        limit = clipping * max(np.linalg.norm(weight[unit].ravel()), eps)
        norm = np.linalg.norm(gradient[unit].ravel())
        if norm > limit:
            gradient[unit] *= limit / norm
            count += 1
    return gradient, (count, len(units))


def train_in_numpy(model, clipping, eps, exclude=()):
    """Stochastic gradient descent with clipping in NumPy; only the raw gradients come from the backend."""
    x, y = data()
    weights, fractions = [], []
    for start in range(0, len(x), 4):
        raw = gradients(model, x[start : start + 4], y[start : start + 4])
        units = []
        for variable, gradient in zip(model.trainable_variables, raw, strict=True):
            weight, layer = keras.ops.convert_to_numpy(variable.value), variable.path.split("/")[0]
            if not layer.startswith(tuple(exclude)) or not exclude:
                gradient, counts = clipped_in_numpy(weight, gradient, layer, clipping, eps)
                units.append(counts)
            variable.assign(weight - LEARNING_RATE * gradient)
        fractions.append(np.divide(*np.sum(units, axis=0)))
        weights.append(weights_of(model))
    return weights, fractions


@pytest.mark.parametrize(
    ("clipping", "eps", "exclude"), [(0.01, 1e-3, ()), (0.2, 0.5, ()), (0.05, 1e-3, ("head", "enc1"))]
)
def test_agc_follows_the_equation_step_by_step(clipping, eps, exclude):
    expected, fractions = train_in_numpy(small_unet(), clipping, eps, exclude)
    weights, clip = Weights(), AdaptiveGradientClipping(clipping, eps, exclude)
    history = fit(small_unet(), [clip, weights])
    for got, wanted in zip(weights.seen, expected, strict=True):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)
    assert np.mean(fractions) > 0
    assert clip.record["step"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(clip.record["clip_fraction"], fractions, rtol=1e-6)
    assert history["agc_fraction"] == [pytest.approx(np.mean(fractions))]
    blocks = [name for name in ("enc1", "bottleneck", "dec1", "head") if name not in exclude]
    assert list(clip.record["block_clip_fraction"]) == blocks


def test_agc_far_above_all_ratios_changes_nothing():
    plain, clipped = small_unet(), small_unet()
    fit(plain, [])
    clip = AdaptiveGradientClipping(1e9)
    history = fit(clipped, [clip])
    for a, b in zip(weights_of(clipped), weights_of(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6 if keras.backend.backend() == "jax" else 0, atol=1e-7)
    assert history["agc_fraction"] == [0.0]
    assert clip.messages == ()


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_agc_leaves_a_weight_the_loss_does_not_reach():
    inputs = keras.Input((3,))
    used, unused = keras.layers.Dense(2, name="used"), keras.layers.Dense(2, name="unused")
    model = keras.Model(inputs, [used(inputs), unused(inputs)])
    model.compile("sgd", ["mse", None])
    clip = AdaptiveGradientClipping(1e-9)
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    model.fit(x, y, verbose=0, callbacks=[clip])
    assert clip.record["clip_fraction"].tolist() == [0.5]
    assert clip.record["block_clip_fraction"]["used"].tolist() == [1.0]
    assert clip.record["block_clip_fraction"]["unused"].tolist() == [0.0]


def test_agc_under_a_loss_scale_clips_unscaled_gradients():
    plain = small_unet()
    scaled = small_unet(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(LEARNING_RATE), initial_scale=64.0))
    callbacks = AdaptiveGradientClipping(0.02), AdaptiveGradientClipping(0.02)
    for model, callback in zip((plain, scaled), callbacks, strict=True):
        fit(model, [callback])
    for a, b in zip(weights_of(scaled), weights_of(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(*[callback.record["clip_fraction"] for callback in callbacks], rtol=1e-6)


def test_agc_says_what_it_did(capsys):
    fit(small_unet(), [AdaptiveGradientClipping(1e-6, verbose=1)])
    assert (
        "Epoch 1: AdaptiveGradientClipping: 100.0% of the units clipped, in 5 of 5 steps; most in block "
        in capsys.readouterr().out
    )


def test_agc_refuses_a_block_the_model_has_not_and_attaches_nothing():
    model = small_unet()
    with pytest.raises(ValueError, match=r"`exclude` must be one of 'enc1', .*Received: exclude='haed'.*'head'"):
        fit(model, [AdaptiveGradientClipping(exclude=["haed"])])
    assert "apply" not in vars(model.optimizer)
    detach_all(model)


def test_agc_config_makes_another():
    clip = AdaptiveGradientClipping(0.1, 0.2, ("head",), verbose=1, name="clip")
    assert AdaptiveGradientClipping(**clip.get_config()).get_config() == clip.get_config()


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"clipping": 0}, ValueError, r"`clipping` must be a finite number above 0. Received: clipping=0"),
        ({"clipping": "much"}, ValueError, r"Received: clipping='much'"),
        ({"eps": float("nan")}, ValueError, r"`eps` must be a finite number above 0. Received: eps=nan"),
        ({"exclude": "head"}, TypeError, r"`exclude` must be a sequence of names of blocks. Received: exclude='head'"),
        ({"exclude": [1]}, TypeError, r"Received: exclude=\[1\]"),
    ],
)
def test_agc_refuses_bad_arguments(kwargs, error, text):
    with pytest.raises(error, match=text):
        AdaptiveGradientClipping(**kwargs)
