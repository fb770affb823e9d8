"""A Keras model in the encoder's place: what is taken of it, and what the U-Net around it does."""

import re

import keras
import numpy as np
import pytest

from unetdyn.dynamics import layers_by_block
from unetdyn.models import AttentionUNet, UNet

LAYERS = keras.layers


def _encoder(size=None, channels=3, strides=(2, 2, 2), padding="same"):
    """Features `f1`, `f2`, ... after a batch norm each, one for each stride."""
    x = inputs = keras.Input((size, size, channels))
    for number, stride in enumerate(strides, start=1):
        if stride > 1:
            x = LAYERS.MaxPooling2D(stride, padding=padding, name=f"pool{number}")(x)
        x = LAYERS.Conv2D(number + 3, 3, padding="same", name=f"conv{number}")(x)
        x = LAYERS.ReLU(name=f"f{number}")(LAYERS.BatchNormalization(name=f"norm{number}")(x))
    return keras.Model(inputs, x)


def _squeezing():
    """Weights of channels, of one pixel, and a rescaled image, beside features at strides 1, 2 and 4."""
    inputs = keras.Input((16, 16, 3))
    x = LAYERS.Conv2D(4, 3, padding="same", name="f1")(LAYERS.Rescaling(1 / 255, name="rescaled")(inputs))
    x = LAYERS.Conv2D(4, 3, 2, padding="same", name="conv2")(x)
    weights = LAYERS.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    x = LAYERS.Multiply(name="f2")([x, LAYERS.Conv2D(4, 1, name="excite")(weights)])
    x = LAYERS.Conv2D(4, 3, 2, padding="same", name="f3")(x)
    return keras.Model(inputs, LAYERS.GlobalAveragePooling2D()(x))


def _taken(model):
    features = model.get_layer("encoder").output
    return {block: tensor._keras_history.operation.name for block, tensor in features.items()}


def _image(*shape):
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


# The layers that segmentation_models (P. Iakubovskii, 1.0.1) takes: its table for `mobilenetv2` and for `vgg16`.
@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("application", "taken"),
    [
        (
            "MobileNetV2",
            {
                "enc2": "block_1_expand_relu",
                "enc3": "block_3_expand_relu",
                "enc4": "block_6_expand_relu",
                "enc5": "block_13_expand_relu",
                "bottleneck": "out_relu",
            },
        ),
        (
            "VGG16",
            {
                "enc1": "block1_conv2",
                "enc2": "block2_conv2",
                "enc3": "block3_conv3",
                "enc4": "block4_conv3",
                "enc5": "block5_conv3",
                "bottleneck": "block5_pool",
            },
        ),
    ],
)
def test_features_are_found_where_others_take_them(application, taken):
    encoder = getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(None, None, 3))

    model = UNet((70, 50, 1), filters=1, encoder=encoder)

    assert _taken(model) == taken
    assert model.output_shape == (None, 70, 50, 1)


@pytest.mark.usefixtures("without_weights")
def test_weights_of_channels_and_the_rescaled_image_are_no_features():
    assert _taken(UNet((16, 16, 3), filters=1, encoder=_squeezing())) == {
        "enc1": "f1",
        "enc2": "f2",
        "bottleneck": "f3",
    }


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ({"depth": 2}, {"enc2": "f1", "bottleneck": "f2"}),
        ({"encoder_taps": {2: "conv1", 4: "f2"}}, {"enc2": "conv1", "bottleneck": "f2"}),
        ({"encoder_taps": {np.int64(4): "norm2", 8: "f3"}}, {"enc3": "norm2", "bottleneck": "f3"}),
    ],
    ids=str,
)
def test_features_can_be_named_and_cut_off(arguments, taken):
    assert _taken(UNet((16, 16, 3), filters=1, encoder=_encoder(), **arguments)) == taken


@pytest.mark.usefixtures("without_weights")
def test_tensors_and_the_pyramid_of_a_backbone_are_taken():
    class Backbone(keras.Model):  # as KerasHub's: a functional model with a property
        @property
        def pyramid_outputs(self):
            return {f"P{k}": self.get_layer(f"conv{k}").output for k in (1, 2)}

    plain = _encoder(16)
    backbone = Backbone(plain.inputs, plain.outputs)

    assert _taken(UNet((16, 16, 3), filters=1, encoder=backbone)) == {"enc2": "conv1", "bottleneck": "conv2"}
    taps = {2: plain.get_layer("f1").output, 4: plain.get_layer("f2").output}
    assert _taken(UNet((16, 16, 3), filters=1, encoder=plain, encoder_taps=taps)) == {"enc2": "f1", "bottleneck": "f2"}


@pytest.mark.usefixtures("without_weights")
def test_levels_finer_than_the_features_have_no_skip_and_no_gate():
    names = {layer.name for layer in AttentionUNet((16, 16, 3), filters=1, encoder=_encoder(strides=(4, 2))).layers}

    assert {"dec3_concat", "gate3_multiply", "dec2_up", "dec2_conv1", "dec1_conv1", "head_conv"} <= names
    assert not {"dec2_concat", "dec1_concat", "gate2_multiply", "gate1_multiply", "bottleneck_conv1"} & names


@pytest.mark.usefixtures("without_weights")
def test_decoder_has_the_weights_of_the_closed_form():
    model = UNet((16, 16, 3), classes=2, filters=5, norm=None, encoder=_encoder())
    alone = sum(np.prod(weight.shape) for weight in _encoder().weights)

    def block(a, b):
        return 9 * a * b + b + 9 * b * b + b

    # Features of 4 and 5 channels at strides 2 and 4, 6 in the bottleneck; 20, 10 and 5 filters on the way up.
    assert model.count_params() - alone == block(6 + 5, 20) + block(20 + 4, 10) + block(10, 5) + 5 * 2 + 2


@pytest.mark.usefixtures("without_weights")
def test_volumes_have_encoders_too():
    inputs = keras.Input((None, None, None, 1))
    x = LAYERS.Conv3D(2, 3, padding="same")(inputs)
    encoder = keras.Model(inputs, LAYERS.Conv3D(3, 2, 2)(x))

    model = UNet((5, 7, None, 1), filters=1, norm="group", encoder=encoder)

    assert model.get_layer("encoder_pad").output.shape == (None, 6, 8, None, 1)
    assert model.output_shape == (None, 5, 7, None, 1)


@pytest.mark.parametrize(("strides", "shape"), [((2, 2), (None, None, 3)), ((1, 2), (13, 11, 3))])
def test_sizes_that_do_not_divide_are_padded_with_the_last_pixel_and_cropped(strides, shape):
    encoder = _encoder(strides=strides, padding="valid")  # rounds down: 13 → 6 → 3
    multiple = int(np.prod(strides))
    x = _image(13, 11, 3)
    padded = np.pad(x, ((0, 0), (0, -13 % multiple), (0, -11 % multiple), (0, 0)), mode="edge")
    whole = UNet(padded.shape[1:], filters=2, norm=None, encoder=encoder, seed=0)

    y = UNet(shape, filters=2, norm=None, encoder=encoder, seed=0).predict(x, verbose=0)

    assert "encoder_pad" not in [layer.name for layer in whole.layers]
    np.testing.assert_allclose(y, whole.predict(padded, verbose=0)[:, :13, :11], atol=1e-5)


def test_images_of_one_channel_are_repeated():
    encoder = _encoder(strides=(1, 2))
    grey, colours = (UNet((8, 8, channels), filters=2, norm=None, encoder=encoder, seed=0) for channels in (1, 3))
    x = _image(8, 8, 1)

    expected = colours.predict(x.repeat(3, axis=-1), verbose=0)

    np.testing.assert_allclose(grey.predict(x, verbose=0), expected, atol=1e-6)


@pytest.mark.usefixtures("without_weights")
def test_other_numbers_of_channels_go_through_a_convolution_before_the_model():
    x = keras.Input((16, 16, 4))
    model = keras.Model(x, UNet((16, 16, 3), filters=1, encoder=_encoder())(LAYERS.Conv2D(3, 1, name="mix")(x)))

    assert model.output_shape == (None, 16, 16, 1)
    assert list(layers_by_block(model)) == ["mix", "enc2", "enc3", "bottleneck", "dec3", "dec2", "dec1", "head"]


def test_frozen_encoder_keeps_its_weights_and_its_statistics_until_it_is_unfrozen(tmp_path):
    encoder = _encoder(strides=(2, 2))
    UNet((8, 8, 3), filters=1, norm=None, encoder=encoder, encoder_trainable=False, seed=0).save(tmp_path / "m.keras")
    model = keras.saving.load_model(tmp_path / "m.keras")
    inner = model.get_layer("encoder")

    def moved():
        before = [keras.ops.convert_to_numpy(weight) for weight in inner.weights]
        model(_image(8, 8, 3), training=True)
        return any(
            not np.array_equal(a, keras.ops.convert_to_numpy(b)) for a, b in zip(before, inner.weights, strict=True)
        )

    assert not encoder.get_layer("conv1").trainable
    assert not inner.trainable_weights
    assert {variable.path.split("_")[0] for variable in model.trainable_variables} == {"dec2", "dec1", "head"}
    assert not moved()
    inner.trainable = True
    assert moved()
    assert len(inner.trainable_weights) == 2 * 4


@pytest.mark.usefixtures("without_weights")
def test_what_the_user_froze_stays_frozen():
    encoder = _encoder()
    encoder.get_layer("norm1").trainable = False

    model = UNet((8, 8, 3), filters=1, encoder=encoder)

    assert model.get_layer("encoder").get_layer("norm1") is encoder.get_layer("norm1")
    assert not encoder.get_layer("norm1").trainable
    assert encoder.get_layer("norm2").trainable


@pytest.mark.usefixtures("without_weights")
def test_blocks_of_an_encoder_end_where_its_features_do():
    model = UNet((8, 8, 3), filters=1, encoder=_encoder())

    found = layers_by_block(model)

    assert list(found) == ["enc2", "enc3", "bottleneck", "dec3", "dec2", "dec1", "head"]
    assert [layer.name for layer in found["enc2"]] == ["conv1", "norm1"]
    assert [layer.name for layer in found["bottleneck"]] == ["conv3", "norm3"]


BAD = {
    "no model": ({"encoder": "ResNet50"}, "`encoder` must be a functional or sequential Keras model with one input"),
    "channels": ({"input_shape": (16, 16, 2)}, "`encoder` takes images of 3 channels, and `input_shape` has 2."),
    "rank": ({"input_shape": (16, 16, 16, 3)}, "`encoder` takes images of 2 dimensions, and `input_shape` has 3."),
    "size": (
        {"encoder": lambda: _encoder(16), "input_shape": (32, 32, 3)},
        "`encoder` was built for images of (16, 16) pixels.",
    ),
    "size unknown": (
        {"encoder": lambda: _encoder(16), "input_shape": (None, 16, 3)},
        "Received: input_shape of (None, 16)",
    ),
    "gap": ({"encoder_taps": {2: "f1", 8: "f3"}}, "It lacks 4. Received: strides 2 (f1), 8 (f3)."),
    "deeper": ({"depth": 4}, "It lacks 16. Received: strides 2 (f1), 4 (f2), 8 (f3)."),
    "shallower": ({"depth": 1}, "Needed are two, a skip and the bottleneck. Received: strides 2 (f1), 4 (f2)"),
    "none": (
        {"encoder": lambda: _encoder(strides=(3, 3))},
        "Needed are two, a skip and the bottleneck. Received: strides none.",
    ),
    "depth": ({"depth": 0}, "`depth` must be a whole number, 1 or more. Received: depth=0."),
    "no taps": ({"encoder_taps": ["f1", "f2"]}, "`encoder_taps` must be a dictionary from a stride to a layer's name"),
    "key": ({"encoder_taps": {3: "f1", 4: "f2"}}, "powers of two as keys, the strides: how many pixels of the image"),
    "name": ({"encoder_taps": {2: "f1", 4: "f22"}}, "Received: 'f22'. Did you mean 'f2'?"),
    "kind": ({"encoder_taps": {2: 1, 4: "f2"}}, "`encoder_taps` must have names of layers, or tensors of Keras."),
    "other's": ({"encoder_taps": {2: keras.Input((8, 8, 3)), 4: "f2"}}, "tensors that `encoder` makes of its input."),
    "stride": ({"encoder_taps": {2: "f1", 4: "f3"}}, "`encoder_taps[4]` must be 1/4 of the image's size in every"),
    "odd": ({"encoder": lambda: _encoder(18), "encoder_taps": {2: "f1", 4: "f2"}}, "'f2', (5, 5) of (18, 18) pixels."),
    "blocks": ({"blocks": "residual_encoder"}, "builds an encoder, and `encoder` is one already."),
    "tutorial": (
        {"variant": "bnsreenu"},
        "`variant='bnsreenu'` reproduces the tutorial's models, which have encoder=None",
    ),
    "nested": (
        {"skips": "nested", "deep_supervision": True},
        "`encoder` has no features at stride 1. Use plain skips, or leave deep supervision out.",
    ),
}


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_encoders_that_do_not_fit_are_refused(arguments, message):
    encoder = arguments.get("encoder", _encoder)
    encoder = encoder() if callable(encoder) else encoder
    with pytest.raises(ValueError, match=re.escape(message)):
        UNet(**({"input_shape": (16, 16, 3), "filters": 1} | arguments | {"encoder": encoder}))


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"encoder_taps": {2: "f1"}}, "`encoder_taps` says something of `encoder`, and there is none."),
        ({"encoder_trainable": False}, "Received: encoder_trainable=False, encoder=None."),
    ],
    ids=str,
)
def test_what_is_said_of_an_encoder_needs_one(arguments, received):
    with pytest.raises(ValueError, match=re.escape(received)):
        AttentionUNet((16, 16, 3), filters=1, **arguments)


@pytest.mark.usefixtures("without_weights")
def test_encoder_that_runs_on_its_own_multiples_alone_is_refused():
    inputs = keras.Input((None, None, 3))
    x = LAYERS.Conv2D(4, 3, 2, padding="same")(inputs)
    sides = [LAYERS.ZeroPadding2D(1)(LAYERS.Conv2D(4, 3, 2, padding="same")(x)), x]

    with pytest.raises(ValueError, match=r"not of \(384, 384\) pixels: .* Build it for the size of the model's images"):
        UNet((16, 16, 3), filters=1, encoder=keras.Model(inputs, LAYERS.Add()(sides)))


@pytest.mark.usefixtures("without_weights")
def test_layer_that_is_called_twice_is_no_name_of_a_tensor():
    inputs = keras.Input((None, None, 3))
    twice = LAYERS.Conv2D(3, 2, 2, name="twice")
    encoder = keras.Model(inputs, twice(twice(inputs)))

    with pytest.raises(ValueError, match=r"names a layer that is called 2 times: pass the tensor. Received: 'twice'"):
        UNet((16, 16, 3), filters=1, encoder=encoder, encoder_taps={2: "twice"})
