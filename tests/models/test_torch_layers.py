"""What a layer on PyTorch computes, beside Keras' own of the same name."""

import json
import zipfile

import keras
import numpy as np
import pytest

from unetdyn.models import UNet

torch = pytest.importorskip("torch")
torch_layers = pytest.importorskip("unetdyn.models.torch_layers")

pytestmark = pytest.mark.skipif(keras.backend.backend() != "torch", reason="layers of PyTorch")

NORMS = {
    "BatchNormalization": [{"momentum": 0.9}, {"momentum": 0.0}],
    "GroupNormalization": [{"groups": 2}, {"groups": -1}],
}
IMAGES = {
    "Conv2D": [
        {"filters": 3, "kernel_size": 3, "padding": "same"},
        {"filters": 3, "kernel_size": 2, "padding": "same"},
        {"filters": 3, "kernel_size": 2, "strides": 2, "padding": "same"},
        {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "groups": 2},
        {"filters": 3, "kernel_size": (3, 1), "activation": "relu"},
    ],
    "MaxPooling2D": [
        {"pool_size": 2, "padding": "same"},
        {"pool_size": 2},
        {"pool_size": 3, "strides": 2},
        {"pool_size": 3, "padding": "same"},
    ],
}
VOLUMES = {
    "Conv3D": [{"filters": 3, "kernel_size": 3, "padding": "same"}, {"filters": 2, "kernel_size": 2, "strides": 2}],
    "MaxPooling3D": [{"pool_size": 2, "padding": "same"}],
}
CASES = [
    (name, arguments, shape)
    for kinds, shapes in (
        (NORMS, [(2, 5, 6, 4), (1, 1, 1, 4), (2, 2, 3, 4, 4)]),
        (IMAGES, [(2, 5, 6, 4), (1, 1, 1, 4), (1, 8, 4, 4)]),
        (VOLUMES, [(2, 3, 4, 5, 2)]),
    )
    for name, choices in kinds.items()
    for arguments in choices
    for shape in shapes
    if name not in ("Conv2D", "MaxPooling2D") or arguments.get("padding") == "same" or shape[1] > 3
]


def _two_layers(name, arguments, shape, dtype="float64"):
    """Keras' layer and ours, with the same random variables."""
    layers = [getattr(kind, name)(**arguments, dtype=dtype) for kind in (keras.layers, torch_layers)]
    rng = np.random.default_rng(1)
    for layer in layers:
        layer.build(shape)
    for theirs, ours in zip(*(layer.variables for layer in layers), strict=True):
        values = rng.uniform(0.5, 1.5, theirs.shape)
        theirs.assign(values)
        ours.assign(values)
    return layers


def _run(layer, x, training):
    """Outputs, gradients of a weighted sum of them, and all variables afterwards."""
    x = torch.tensor(x, requires_grad=True)
    y = layer(x, training=training) if "Batch" in type(layer).__name__ else layer(x)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
    (weights * y).sum().backward()
    gradients = [x.grad, *(variable.value.grad for variable in layer.trainable_variables)]
    return [tensor.detach() for tensor in (y, *gradients, *(variable.value for variable in layer.variables))]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
def test_layer_is_keras_layer_in_values_gradients_and_variables(name, arguments, shape, training):
    x = np.random.default_rng(0).normal(size=shape)

    theirs, ours = (_run(layer, x, training) for layer in _two_layers(name, arguments, shape))

    rounding = 1e-5 if name in NORMS else 1e-12  # Keras 3.15 normalises float64 in float32
    for one, other in zip(theirs, ours, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other.numpy(), one.numpy(), rtol=rounding, atol=10 * rounding)


def test_moving_statistics_are_the_biased_ones_of_the_batch():
    x = np.random.default_rng(0).normal(3, 2, size=(2, 3, 4, 2))
    layer = torch_layers.BatchNormalization(momentum=0.75, dtype="float64")

    layer(x, training=True)

    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.25 * x.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.75 + 0.25 * x.var((0, 1, 2)), rtol=1e-12)


def test_group_norm_is_its_formula_in_float64():
    x = np.random.default_rng(0).normal(3, 2, size=(2, 3, 4, 6))
    layer = torch_layers.GroupNormalization(groups=2, dtype="float64")

    y = layer(x)

    groups = x.reshape(2, 12, 2, 3)
    centred = groups - groups.mean((1, 3), keepdims=True)
    expected = centred / np.sqrt(groups.var((1, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(y.detach().numpy(), expected.reshape(x.shape), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", ["BatchNormalization", "GroupNormalization"])
def test_norms_are_keras_norms_in_half_precision(name, policy):
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 8)).astype("float32")
    arguments = {"groups": 4} if name == "GroupNormalization" else {}

    theirs, ours = (_run(layer, x, True) for layer in _two_layers(name, arguments, x.shape, policy))

    rough = 1e-5 if policy == "float32" else 2e-2
    for one, other in zip(theirs, ours, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other.float().numpy(), one.float().numpy(), rtol=rough, atol=rough * 5)


@pytest.mark.parametrize("training", [True, False])
def test_frozen_batch_norm_uses_and_keeps_its_statistics(training):
    layer = torch_layers.BatchNormalization(trainable=False, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2))

    y = layer(x, training=training)

    np.testing.assert_allclose(y.numpy(), x / np.sqrt(1 + 1e-3), rtol=1e-12)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), [0, 0])


@pytest.mark.parametrize("arguments", [{"renorm": True}, {"scale": False}, {"axis": 1}, {}])
def test_what_is_left_to_keras_is_as_it_was(arguments):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    mask = np.arange(24).reshape(2, 3, 4) % 2 if not arguments else None
    results = []
    for kind in (keras.layers, torch_layers):
        layer = kind.BatchNormalization(**arguments)
        y = layer(x, training=True, mask=mask)
        results.append([y.detach().numpy(), *(variable.numpy() for variable in layer.variables)])

    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_statistics_are_left_alone_within_a_stateless_scope():
    layer = torch_layers.BatchNormalization()
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    layer.build(x.shape)

    with keras.StatelessScope() as scope:
        layer(x, training=True)

    np.testing.assert_array_equal(layer.moving_mean.numpy(), [0, 0])
    updated = scope.get_current_value(layer.moving_mean)
    np.testing.assert_allclose(updated.numpy(), 0.01 * x.mean((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_models_are_made_of_them_and_are_keras_own_in_a_file(norm, tmp_path, monkeypatch):
    def build():
        return UNet((8, 8, 1), filters=2, depth=1, norm=norm, seed=0)

    ours = build()
    ours.save(tmp_path / "ours.keras")
    monkeypatch.setattr("unetdyn.models.blocks.layer_class", lambda kind, o: getattr(keras.layers, kind.format(o.rank)))
    theirs = build()
    theirs.save(tmp_path / "theirs.keras")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")

    used = {type(layer) for layer in ours.layers}
    expected = f"{norm.capitalize()}Normalization"
    assert {getattr(torch_layers, name) for name in ("Conv2D", "MaxPooling2D", expected)} <= used
    kinds = [_classes(tmp_path / f"{name}.keras") for name in ("ours", "theirs")]
    assert kinds[0] == kinds[1]
    read = keras.models.load_model(tmp_path / "ours.keras")
    assert {type(layer) for layer in read.layers} == used
    np.testing.assert_array_equal(read.predict(x, verbose=0), ours.predict(x, verbose=0))
    monkeypatch.setattr(keras.src.saving.object_registration, "GLOBAL_CUSTOM_OBJECTS", {})  # as without this package
    for name in ("ours", "theirs"):
        read = keras.models.load_model(tmp_path / f"{name}.keras")
        assert [type(layer) for layer in read.layers] == [type(layer) for layer in theirs.layers]
        np.testing.assert_allclose(read.predict(x, verbose=0), ours.predict(x, verbose=0), atol=1e-5)
    ours.load_weights(tmp_path / "theirs.keras")
    theirs.load_weights(tmp_path / "ours.keras")


def _classes(path):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    return [(layer["module"], layer["class_name"], layer["config"]) for layer in config["config"]["layers"]]
