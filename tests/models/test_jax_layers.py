"""What a layer on JAX computes, beside Keras' own of the same name."""

import itertools
import json
import zipfile

import keras
import numpy as np
import pytest

from unetdyn.models import UNet

jax = pytest.importorskip("jax")
jax_layers = pytest.importorskip("unetdyn.models.jax_layers")

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="layers of JAX")

IMAGES, VOLUMES = (2, 6, 4, 3), (2, 4, 2, 6, 3)
CASES = [
    ("BatchNormalization", {"momentum": 0.9}, IMAGES),
    ("BatchNormalization", {"momentum": 0.9}, VOLUMES),
    ("BatchNormalization", {"axis": 1}, IMAGES),
    ("BatchNormalization", {"renorm": True}, IMAGES),
    ("BatchNormalization", {"scale": False, "center": False}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "same"}, IMAGES),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "activation": "relu"}, IMAGES),
    ("Conv2D", {"filters": 1, "kernel_size": 1}, IMAGES),
    ("Conv2D", {"filters": 4, "kernel_size": 1, "use_bias": False}, IMAGES),
    ("Conv2D", {"filters": 5, "kernel_size": 1}, IMAGES),
    ("Conv2D", {"filters": 3, "kernel_size": 1, "groups": 3}, IMAGES),
    ("Conv2D", {"filters": 2, "kernel_size": 1, "strides": 2}, IMAGES),
    ("Conv3D", {"filters": 2, "kernel_size": 3, "padding": "same"}, VOLUMES),
    ("Conv3D", {"filters": 2, "kernel_size": 1}, VOLUMES),
    ("MaxPooling2D", {"pool_size": 2}, IMAGES),
    ("MaxPooling2D", {"pool_size": (3, 2), "padding": "same"}, IMAGES),
    ("MaxPooling2D", {"pool_size": 2, "padding": "same"}, (1, 5, 3, 2)),
    ("MaxPooling2D", {"pool_size": 3, "strides": 1}, IMAGES),
    ("MaxPooling3D", {"pool_size": 2}, VOLUMES),
]


def _two_layers(name, arguments, shape, dtype="float32"):
    """Keras' layer and ours, with the same random variables."""
    layers = [getattr(kind, name)(**arguments, dtype=dtype) for kind in (keras.layers, jax_layers)]
    rng = np.random.default_rng(1)
    for layer in layers:
        layer.build(shape)
    for theirs, ours in zip(*(layer.variables for layer in layers), strict=True):
        values = rng.uniform(0.5, 1.5, theirs.shape)
        theirs.assign(values)
        ours.assign(values)
    return layers


def _run(layer, x, training=True):
    """Outputs, gradients of a weighted sum of them, by input and weights, and what the layer keeps afterwards."""
    trained, kept = ([v.value for v in values] for values in (layer.trainable_variables, layer.non_trainable_variables))
    more = {"training": training} if "Batch" in type(layer).__name__ else {}

    def weighted(x, trained):
        y, after = layer.stateless_call(trained, kept, x, **more)
        weights = np.linspace(-1, 2, y.size).reshape(y.shape)
        return (weights * y).sum(), (y, after)

    (_, (y, after)), gradients = jax.jit(jax.value_and_grad(weighted, (0, 1), has_aux=True))(x, trained)
    return [y, gradients[0], *gradients[1], *after]


TRAINING = [(*case, True) for case in CASES]
INFERENCE = [(*case, False) for case in CASES[:3]]


@pytest.mark.parametrize(("name", "arguments", "shape", "training"), TRAINING + INFERENCE)
def test_layer_is_keras_layer_in_values_gradients_and_variables(name, arguments, shape, training):
    x = np.random.default_rng(0).integers(0, 3, shape).astype("float32")  # many pixels of a window are equal

    theirs, ours = (_run(layer, x, training) for layer in _two_layers(name, arguments, shape))

    for one, other in zip(theirs, ours, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
@pytest.mark.parametrize(("name", "arguments"), [(name, arguments) for name, arguments, _ in CASES[:1] + CASES[5:9]])
def test_layer_is_keras_layer_in_half_precision(name, arguments, policy):
    x = np.random.default_rng(0).normal(1, 1, IMAGES).astype("float16")

    theirs, ours = (_run(layer, x) for layer in _two_layers(name, arguments, IMAGES, policy))

    for one, other in zip(theirs, ours, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(np.array(other, "float32"), np.array(one, "float32"), rtol=2e-2, atol=0.1)


@pytest.mark.parametrize("mean", [0.0, 10.0, 1e3, -1e4])
def test_moments_are_exact_where_the_mean_is_large(mean):
    x = (mean + np.random.default_rng(0).normal(size=(4, 16, 16, 3))).astype("float32")

    found = jax.jit(jax_layers.moments)(x)

    wide = x.astype("float64").reshape(-1, 3)
    np.testing.assert_allclose(found[0], wide.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[1], wide.var(0), rtol=1e-5)


def test_moments_of_a_constant_are_exact_and_have_no_gradient():
    x = np.full((2, 4, 4, 2), 0.1, "float32")

    mean, variance = jax.jit(jax_layers.moments)(x)
    gradient = jax.jit(jax.grad(lambda x: jax_layers.moments(x)[1].sum()))(x)

    np.testing.assert_array_equal(mean, np.full(2, 0.1, "float32"))
    np.testing.assert_array_equal(variance, np.zeros(2))
    np.testing.assert_array_equal(gradient, np.zeros_like(x))


@pytest.mark.parametrize("window", [(2, 2), (3, 1), (2, 2, 2), (4,)])
def test_pooled_sends_the_gradient_to_the_first_maximum(window):
    sizes = tuple(2 * step for step in window)
    rng = np.random.default_rng(0)
    x, above = (
        rng.integers(0, 3, (2, *sizes, 3)).astype("float32"),
        rng.normal(size=(2, *(2 for _ in window), 3)).astype("float32"),
    )

    def both(x):
        most, back = jax.vjp(lambda x: jax_layers.pooled(x, window), x)
        return most, back(above)[0]

    most, gradient = jax.jit(both)(x)

    expected, sent = np.zeros_like(above), np.zeros_like(x)
    for batch, *cell, channel in np.ndindex(*above.shape):
        pixels = [
            (batch, *at, channel)
            for at in itertools.product(*(range(c * s, c * s + s) for c, s in zip(cell, window, strict=True)))
        ]
        first = max(pixels, key=lambda at: x[at])  # the first of equal ones
        expected[batch, *cell, channel], sent[first] = x[first], above[batch, *cell, channel]
    np.testing.assert_array_equal(most, expected)
    np.testing.assert_array_equal(gradient, sent)


def test_pooled_keeps_what_is_not_finite():
    x = np.zeros((1, 2, 6, 1), "float32")
    x[0, 0, 1], x[0, 0, 2], x[0, :, 4:] = np.nan, np.nan, -np.inf

    found = np.ravel(jax_layers.pooled(x, (2, 2)))

    np.testing.assert_array_equal(found, [np.nan, np.nan, -np.inf])


def test_convolution_keeps_what_is_not_finite():
    x = np.array([[[[1.0, np.nan]], [[np.inf, 1.0]]]], "float32")
    layer = jax_layers.Conv2D(1, 1, kernel_initializer="ones")

    np.testing.assert_array_equal(np.ravel(layer(x)), [np.nan, np.inf])


def test_kernels_that_are_laid_out_over_devices_keep_their_axes():
    """They are no longer one row, whose gradient would have to go from device to device."""
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "model"), ["cpu:0"])
    layout = keras.distribution.LayoutMap(mesh)
    spread = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    layer, x = jax_layers.Conv2D(2, 3), np.zeros((1, 4, 4, 3), "float32")
    layer.build(x.shape)

    def barriers():
        return str(jax.make_jaxpr(lambda kernel: layer.convolution_op(x, kernel))(layer.kernel.value)).count("barrier")

    assert barriers() == 1
    with spread.scope():
        assert barriers() == 0


def test_layers_can_be_differentiated_forward():
    """As a Hessian times a vector is, forward over reverse."""
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype("float32")
    direction = np.ones_like(x)

    convolution = jax_layers.Conv2D(2, 3, padding="same", kernel_initializer="ones")
    convolution.build(x.shape)

    def loss(x):
        y = convolution(x)
        mean, variance = jax_layers.moments(y)
        return (jax_layers.pooled((y - mean) / (variance + 1), (2, 2)) ** 3).sum()

    gradient, step = jax.jit(jax.grad(loss)), 1e-2
    _, product = jax.jvp(gradient, (x,), (direction,))
    ends = [gradient(x + side * step * direction) for side in (1, -1)]
    np.testing.assert_allclose(product, (ends[0] - ends[1]) / (2 * step), rtol=0.05, atol=0.05)


def test_builders_use_them_and_files_are_keras_own(tmp_path):
    model = UNet((8, 8, 1), filters=2, depth=1)
    used = {type(layer) for layer in model.layers}
    model.save(tmp_path / "model.keras")

    assert {getattr(jax_layers, name) for name in ("Conv2D", "MaxPooling2D", "BatchNormalization")} <= used
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    found = {(each["module"], each["class_name"]) for each in layers}
    assert {("keras.layers", name) for name in ("Conv2D", "MaxPooling2D", "BatchNormalization")} <= found
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert type(opened.get_layer("enc1_conv1")) is jax_layers.Conv2D


def test_batch_norm_of_the_builders_takes_one_pass():
    """Keras could call another method for the statistics; then this layer would be Keras' again, and slower."""
    layer = jax_layers.BatchNormalization()
    layer.build((2, 4, 4, 3))
    x = np.zeros((2, 4, 4, 3), "float32")

    def passes(layer):
        trained, kept = (
            [v.value for v in values] for values in (layer.trainable_variables, layer.non_trainable_variables)
        )
        text = str(jax.make_jaxpr(lambda x: layer.stateless_call(trained, kept, x, training=True))(x))
        return text.count("stop_gradient")

    plain = keras.layers.BatchNormalization()
    plain.build(x.shape)
    assert (passes(layer), passes(plain)) == (1, 0)
