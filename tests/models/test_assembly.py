"""Names, sizes and dtypes: what every U-Net keeps, whatever it is built from."""

import re

import keras
import numpy as np
import pytest

from unetdyn.models import AttentionResUNet, AttentionUNet, CropLike, UNet

BUILDERS = [UNet, AttentionUNet, AttentionResUNet]
BLOCK = re.compile(r"(enc[1-9]\d*|bottleneck|dec[1-9]\d*|gate[1-9]\d*|head)_[a-z]")
STYLES = [
    {},
    {"norm": "group", "upsample": "linear", "dropout": 0.1},
    {"norm": None, "upsample": "transpose", "output": "logits"},
    {"gate": "additive", "classes": 3},
    {"variant": "bnsreenu", "depth": 4},
]


def _build(builder, shape, **arguments):
    if builder is UNet:
        arguments.pop("gate", None)
    return builder(shape, **({"filters": 2, "depth": 2, "seed": 0} | arguments))


def _image(*shape):
    return np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("builder", BUILDERS)
def test_every_layers_name_begins_with_its_block(builder, style):
    volume = "norm" in style
    names = [layer.name for layer in _build(builder, (None, 17, 16, 1) if volume else (17, 16, 1), **style).layers]

    assert names[0] == "input"
    assert [name for name in names[1:] if not BLOCK.match(name)] == []


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(("builder", "gates"), [(UNet, 0), (AttentionUNet, 3), (AttentionResUNet, 3)])
def test_blocks_are_complete(builder, gates):
    model = _build(builder, (8, 8, 1), depth=3)

    blocks = {layer.name.split("_")[0] for layer in model.layers[1:]}

    levels = [f"{kind}{level}" for kind in ("enc", "dec") for level in (1, 2, 3)]
    assert blocks == {*levels, "bottleneck", "head", *(f"gate{level + 1}" for level in range(gates))}


@pytest.mark.usefixtures("without_weights")
def test_blocks_lie_along_the_way_of_the_data():
    names = [layer.name for layer in _build(UNet, (8, 8, 1)).layers]

    blocks = list(dict.fromkeys(name.split("_")[0] for name in names))
    assert blocks == ["input", "enc1", "enc2", "bottleneck", "dec2", "dec1", "head"]


@pytest.mark.parametrize(
    ("builder", "size", "style"),
    [
        (UNet, (9, 11), {"upsample": "transpose"}),
        (UNet, (5, 6, 7), {}),
        (AttentionResUNet, (9, 11), {}),
        (AttentionResUNet, (5, 6, 7), {"upsample": "linear"}),
        (AttentionUNet, (8, 8), {"upsample": "transpose", "gate": "additive"}),
    ],
)
def test_output_has_the_size_of_the_input_known_or_not(builder, style, size):
    known = _build(builder, (*size, 1), **style)
    unknown = _build(builder, (*[None] * len(size), 1), **style)
    x = _image(*size, 1)

    y = known.predict(x, verbose=0)

    assert known.output_shape == (None, *size, 1)
    assert unknown.output_shape == (None, *[None] * len(size), 1)
    assert y.shape == (1, *size, 1)
    assert 0 <= y.min() < y.max() <= 1
    np.testing.assert_allclose(unknown.predict(x, verbose=0), y, atol=1e-5)


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("builder", BUILDERS)
def test_nothing_is_cropped_where_sizes_divide(builder):
    def crops(shape):
        return {layer.name for layer in _build(builder, shape).layers if isinstance(layer, CropLike)}

    gates = set() if builder is UNet else {"gate1_crop"}
    assert crops((8, 8, 1)) == set()
    assert crops((8, 11, 1)) == {"dec1_crop"} | gates
    assert crops((10, 8, 1)) == {"dec2_crop"} | {name.replace("1", "2") for name in gates}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"], indirect=True)
@pytest.mark.parametrize("builder", [UNet, AttentionResUNet])
def test_head_computes_in_float32_under_mixed_precision(builder, policy):
    model = _build(builder, (9, 8, 1))

    y = model.predict(_image(9, 8, 1), verbose=0)

    assert y.dtype == np.float32
    assert model.get_layer("enc1_conv1").compute_dtype == policy.removeprefix("mixed_")
    assert {model.get_layer(name).compute_dtype for name in ("head_conv", "head_act")} == {"float32"}
    assert 0 < y.min() < y.max() < 1


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_tutorials_head_follows_the_policy(policy):
    model = _build(UNet, (16, 16, 1), depth=4, variant="bnsreenu")

    assert model.get_layer("head_norm").compute_dtype == model.get_layer("head_act").compute_dtype == "float16"


@pytest.mark.parametrize("classes", [1, 3])
def test_probabilities_are_the_sigmoid_or_softmax_of_the_logits(classes):
    x = _image(8, 8, 1)
    z = _build(UNet, (8, 8, 1), classes=classes, output="logits").predict(x, verbose=0).astype("float64")

    p = _build(UNet, (8, 8, 1), classes=classes).predict(x, verbose=0)

    expected = 1 / (1 + np.exp(-z)) if classes == 1 else np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    np.testing.assert_allclose(p, expected, atol=1e-5)


@pytest.mark.usefixtures("without_weights")
def test_models_are_channels_last_whatever_keras_is_set_to():
    keras.config.set_image_data_format("channels_first")
    try:
        shapes = [_build(AttentionUNet, (8, 12, 1), upsample=kind).output_shape for kind in ("nearest", "transpose")]
        tutorial = _build(AttentionUNet, (16, 32, 1), depth=4, variant="bnsreenu").output_shape
    finally:
        keras.config.set_image_data_format("channels_last")

    assert shapes == [(None, 8, 12, 1)] * 2
    assert tutorial == (None, 16, 32, 1)
