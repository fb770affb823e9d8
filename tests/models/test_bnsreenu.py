"""The tutorial's models against their published counts, and against a plain rebuilding with nothing of ours."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from unetdyn.models import AttentionResUNet, AttentionUNet, UNet

BUILDERS = {"unet": UNet, "attention": AttentionUNet, "residual": AttentionResUNet}
PUBLISHED = {
    ("unet", 1, 64): 31_401_349,
    ("attention", 1, 64): 37_333_513,
    ("residual", 1, 64): 39_089_097,
    ("unet", 3, 64): 31_402_501,
    ("attention", 3, 64): 37_334_665,
    ("residual", 3, 64): 39_090_377,
    ("unet", 1, 16): 1_968_229,
    ("attention", 1, 16): 2_341_513,
    ("residual", 1, 16): 2_454_009,
}


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(("key", "count"), PUBLISHED.items(), ids=str)
def test_tutorial_models_have_the_published_number_of_parameters(key, count):
    kind, channels, filters = key

    assert BUILDERS[kind]((256, 256, channels), filters=filters, variant="bnsreenu").count_params() == count


# Zeros, because the test sets the weights, and drawing them is slow on JAX.
_convolution = partial(layers.Conv2D, kernel_initializer="zeros")
_transpose = partial(layers.Conv2DTranspose, kernel_initializer="zeros")


def _norm_relu(x, norm, act):
    return layers.Activation("relu", name=act)(layers.BatchNormalization(name=norm)(x))


def _plain_block(x, filters, block, residual):
    y = _convolution(filters, 3, padding="same", name=f"{block}_conv1")(x)
    y = _norm_relu(y, f"{block}_norm1", f"{block}_act1")
    y = _convolution(filters, 3, padding="same", name=f"{block}_conv2")(y)
    if not residual:
        return _norm_relu(y, f"{block}_norm2", f"{block}_act2")
    y = layers.BatchNormalization(name=f"{block}_norm2")(y)
    shortcut = _convolution(filters, 1, name=f"{block}_shortcut")(x)
    shortcut = layers.BatchNormalization(name=f"{block}_shortcut_norm")(shortcut)
    return layers.ReLU()(layers.add([shortcut, y]))


def _plain_gate(skip, coarse, gate):
    filters = skip.shape[-1]
    signal = _convolution(filters, 1, name=f"{gate}_signal_conv")(coarse)
    signal = _norm_relu(signal, f"{gate}_signal_norm", f"{gate}_signal_act")
    theta = _convolution(filters, 2, strides=2, name=f"{gate}_theta")(skip)
    phi = _convolution(filters, 1, name=f"{gate}_phi")(signal)
    phi = _transpose(filters, 3, strides=1, padding="same", name=f"{gate}_phi_transpose")(phi)
    psi = _convolution(1, 1, name=f"{gate}_psi")(layers.ReLU()(layers.add([phi, theta])))
    alpha = layers.UpSampling2D(2)(layers.Activation("sigmoid")(psi))
    alpha = layers.Concatenate()([alpha] * filters)
    y = _convolution(filters, 1, name=f"{gate}_conv")(layers.multiply([alpha, skip]))
    return layers.BatchNormalization(name=f"{gate}_norm")(y)


def _plain_model(kind, size, filters):
    residual = kind == "residual"
    x = inputs = keras.Input((size, size, 1))
    skips = []
    for level in range(1, 5):
        skips.append(_plain_block(x, filters * 2 ** (level - 1), f"enc{level}", residual))
        x = layers.MaxPooling2D(2)(skips[-1])
    x = _plain_block(x, filters * 16, "bottleneck", residual)
    for level in (4, 3, 2, 1):
        skip = skips[level - 1]
        if kind != "unet":
            skip = _plain_gate(skip, x, f"gate{level}")
        x = layers.concatenate([layers.UpSampling2D(2)(x), skip])
        x = _plain_block(x, filters * 2 ** (level - 1), f"dec{level}", residual)
    x = layers.BatchNormalization(name="head_norm")(_convolution(1, 1, name="head_conv")(x))
    return keras.Model(inputs, x)


def _drawn(rng, weight):
    """Kernels large enough for a signal to arrive; biases and norms off the values where they do nothing."""
    if weight.ndim > 1:
        return rng.normal(size=weight.shape) * np.sqrt(2 / np.prod(weight.shape[:-1]))
    return weight + rng.uniform(-0.1, 0.3, weight.shape)


@pytest.mark.parametrize("kind", BUILDERS)
def test_tutorial_models_equal_a_plain_rebuilding_with_the_same_weights(kind, monkeypatch):
    monkeypatch.setattr(keras.initializers, "GlorotUniform", lambda seed: "zeros")
    rng = np.random.default_rng(0)
    model, plain = (
        BUILDERS[kind]((32, 32, 1), filters=4, variant="bnsreenu", output="logits"),
        _plain_model(kind, 32, 4),
    )
    for layer in plain.layers:
        drawn = [_drawn(rng, weight) for weight in layer.get_weights()]
        layer.set_weights(drawn)
        if drawn:
            model.get_layer(layer.name).set_weights(drawn)
    x = rng.normal(size=(2, 32, 32, 1)).astype("float32")

    expected = plain.predict(x, verbose=0)

    assert len(model.weights) == len(plain.weights)
    assert expected.std() > 0.1
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("without_weights")
def test_tutorial_models_keep_keras_initialiser_and_momentum_and_end_in_a_sigmoid():
    model = AttentionResUNet((32, 32, 1), filters=1, variant="bnsreenu")
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel_initializer")]

    assert {norm.momentum for norm in norms} == {0.99}
    assert model.get_layer("head_act").activation is keras.activations.sigmoid
    assert {type(layer.kernel_initializer) for layer in convolutions} == {keras.initializers.GlorotUniform}
    assert UNet((32, 32, 1), filters=1, variant="bnsreenu", norm_momentum=0.9).get_layer("enc1_norm1").momentum == 0.9


@pytest.mark.parametrize(
    ("argument", "value"),
    [("norm", "group"), ("norm", None), ("depth", 3), ("upsample", "linear"), ("activation", "gelu"), ("l2", 0.1)],
)
def test_tutorial_models_refuse_what_contradicts_them(argument, value):
    expected = rf"`variant='bnsreenu'` reproduces .* Received: {argument}={value!r}. Leave {argument} out"
    with pytest.raises(ValueError, match=expected):
        UNet((32, 32, 1), filters=1, variant="bnsreenu", **{argument: value})


def test_tutorial_attention_models_refuse_another_gate():
    with pytest.raises(ValueError, match=r"have gate='oktay'\. Received: gate='additive'"):
        AttentionUNet((32, 32, 1), filters=1, variant="bnsreenu", gate="additive")


@pytest.mark.usefixtures("without_weights")
def test_tutorial_models_work_where_sixteen_does_not_divide():
    assert AttentionUNet((33, 40, 1), filters=1, variant="bnsreenu").output_shape == (None, 33, 40, 1)
