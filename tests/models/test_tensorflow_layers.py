"""Layers for TensorFlow against Keras' own: outputs, gradients, moving statistics, and what is in a file."""

import json
import zipfile

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("layers of TensorFlow", allow_module_level=True)

import tensorflow as tf

from unetdyn.models.tensorflow_layers import BatchNormalization

SHAPES = [(4, 6, 5, 3), (2, 3, 4, 5, 3), (1, 1, 1, 2)]


def pair(**options):
    return [kind(name="norm", **options) for kind in (keras.layers.BatchNormalization, BatchNormalization)]


def seen(layer, x, training=True):
    """Output, gradients of input, scale and offset, and moving statistics, of two steps."""
    layer.build(x.shape)
    weights = np.linspace(0.5, 2, layer.gamma.shape[0])
    layer.gamma.assign(weights)
    layer.beta.assign(weights - 1)
    found = []
    for factor in (1.0, 0.5):
        value = tf.constant(factor * x)
        with tf.GradientTape() as tape:
            tape.watch(value)
            y = layer(value, training=training)
            loss = tf.reduce_sum(tf.sin(tf.cast(y, "float32")))
        found += [y, *tape.gradient(loss, [value, layer.gamma.value, layer.beta.value])]
    return [np.array(keras.ops.convert_to_numpy(each), "float64") for each in [*found, *layer.non_trainable_variables]]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_is_keras_to_rounding(shape, training):
    x = np.random.default_rng(0).normal(3, 2, shape).astype("float32")
    kept, fused = (seen(layer, x, training) for layer in pair(momentum=0.9))
    for a, b in zip(fused, kept, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_batch_norm_keeps_types(policy):
    x = np.random.default_rng(0).normal(3, 2, SHAPES[0])
    kept, fused = pair(dtype=policy)
    x = x.astype("float64") if policy == "float64" else tf.cast(x, policy.removeprefix("mixed_"))
    a, b = (layer(tf.constant(x), training=True) for layer in (fused, kept))
    assert a.dtype == b.dtype
    np.testing.assert_allclose(tf.cast(a, "float64"), tf.cast(b, "float64"), rtol=0.02, atol=0.02)
    np.testing.assert_allclose(fused.moving_variance, kept.moving_variance, rtol=1e-3)


def test_batch_norm_leaves_other_work_to_keras():
    x = np.random.default_rng(0).normal(3, 2, SHAPES[0]).astype("float32")
    for options in ({"scale": False}, {"center": False}, {"axis": 1}, {"renorm": True}, {"epsilon": 1e-6}):
        a, b = (layer(x, training=True) for layer in pair(**options))
        np.testing.assert_array_equal(a, b, err_msg=str(options))
    kept, fused = pair()
    kept.trainable = fused.trainable = False
    np.testing.assert_allclose(fused(x, training=True), kept(x, training=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fused.moving_mean, np.zeros(3))


@pytest.mark.parametrize("compiled", [False, True])
def test_batch_norm_within_a_graph_of_unknown_sizes(compiled):
    x = np.random.default_rng(0).normal(3, 2, (4, 6, 6, 3)).astype("float32")
    outputs = []
    for layer in pair():
        inputs = keras.Input((None, None, 3))
        model = keras.Model(inputs, layer(inputs))
        model.compile("sgd", "mse", jit_compile=compiled)
        model.fit(x, x, batch_size=2, epochs=2, shuffle=False, verbose=0)
        assert model.output_shape == (None, None, None, 3)
        outputs.append([model.predict_on_batch(x), *model.get_weights()])
    for a, b in zip(*outputs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_batch_norm_is_keras_own_in_a_file(tmp_path):
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, BatchNormalization(name="norm")(inputs))
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert type(opened.get_layer("norm")) is BatchNormalization  # where unetdyn.models has been imported
    assert opened.get_layer("norm").get_config() == model.get_layer("norm").get_config()
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        (norm,) = (
            each for each in json.loads(archive.read("config.json"))["config"]["layers"] if each["name"] == "norm"
        )
    assert (norm["module"], norm["class_name"]) == ("keras.layers", "BatchNormalization")
