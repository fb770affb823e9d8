"""Which variables are kernels, which of them a norm frees of their scale, by scaling them, and what their units are."""

import keras
import numpy as np
import pytest
from keras import layers

from unetdyn.dynamics.weight_kinds import is_kernel, scale_invariant, unit_axes, weight_kind
from unetdyn.models import AttentionResUNet, UNet


def invariant(model):
    return [model.trainable_variables[i].path for i in scale_invariant(model, model.trainable_variables)]


def functional(build, channels=4):
    inputs = keras.Input((6, 6, channels))
    return keras.Model(inputs, build(inputs))


def felt(model, paths, factor=3.0):
    """The variables whose scale changes the outputs in training mode."""
    x = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype("float32")

    def outputs():
        return keras.ops.convert_to_numpy(model(x, training=True)).copy()

    before, changed = outputs(), []
    for path in paths:
        variable = next(v for v in model.trainable_variables if v.path == path)
        value = keras.ops.convert_to_numpy(variable.value).copy()
        variable.assign(factor * value)
        if np.abs(outputs() - before).max() > 1e-3:
            changed.append(path)
        variable.assign(value)
    return changed


def test_kernels_are_told_by_rank_and_name():
    attention = layers.MultiHeadAttention(2, 3)
    attention.build((None, 4, 8), (None, 4, 8))
    prelu, gru, norm = layers.PReLU(), layers.GRU(2), layers.LayerNormalization(axis=(1, 2))
    for layer in (prelu, gru, norm):
        layer.build((None, 4, 8))
    assert {v.name for layer in (attention, gru) for v in layer.weights if is_kernel(v)} == {
        "kernel",
        "recurrent_kernel",
    }
    assert not any(is_kernel(v) for layer in (prelu, norm) for v in layer.weights)


@pytest.mark.parametrize(("builder", "norm"), [(AttentionResUNet, "batch"), (UNet, "layer")])
def test_invariant_kernels_of_our_models_are_not_felt_and_others_are(builder, norm):
    model = builder((8, 8, 1), filters=4, depth=1, norm=norm, output="logits", seed=3)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if hasattr(layer, "epsilon"):
            layer.epsilon = 1e-12  # a norm forgets its input's scale exactly where ε is nothing beside it
    for variable in model.trainable_variables:  # a bias of zero would hide that it matters to a group norm
        if variable.name == "bias":
            variable.assign(rng.normal(size=variable.shape))
    found = invariant(model)
    assert found
    kernels = [v.path for v in model.trainable_variables if is_kernel(v)]
    assert felt(model, kernels) == [path for path in kernels if path not in found]


@pytest.mark.parametrize(
    ("name", "build", "expected"),
    [
        ("conv to norm", lambda x: layers.BatchNormalization()(layers.Conv2D(2, 3, name="c")(x)), True),
        ("dense to norm", lambda x: layers.BatchNormalization()(layers.Dense(2, name="c")(x)), True),
        ("depthwise", lambda x: layers.BatchNormalization()(layers.DepthwiseConv2D(3, name="c")(x)), True),
        (
            "activation",
            lambda x: layers.BatchNormalization()(layers.Conv2D(2, 3, activation="tanh", name="c")(x)),
            False,
        ),
        ("group norm, bias", lambda x: layers.GroupNormalization(1)(layers.Conv2D(2, 3, name="c")(x)), False),
        ("group norm", lambda x: layers.GroupNormalization(1)(layers.Conv2D(2, 3, use_bias=False, name="c")(x)), True),
        ("frozen norm", lambda x: layers.BatchNormalization(trainable=False)(layers.Conv2D(2, 3, name="c")(x)), False),
        ("no norm", lambda x: layers.Conv2D(2, 3, name="c")(x), False),
        ("to an operation", lambda x: keras.ops.tanh(layers.Conv2D(2, 3, name="c")(x)), False),
    ],
)
def test_what_follows_decides(name, build, expected):
    assert invariant(functional(build)) == (["c/kernel"] if expected else []), name


def test_a_second_way_round_the_norm_counts():
    def build(x):
        y = layers.Conv2D(4, 3, padding="same", name="c")(x)
        return layers.Add()([y, layers.BatchNormalization()(y)])

    assert invariant(functional(build)) == []
    inputs = keras.Input((6, 6, 4))
    y = layers.Conv2D(4, 3, name="c")(inputs)
    assert invariant(keras.Model(inputs, [y, layers.BatchNormalization()(y)])) == []


def test_sequential_and_nested_models_are_followed_and_others_left_alone():
    inner = keras.Sequential([keras.Input((6, 6, 4)), layers.Conv2D(2, 3, name="c"), layers.BatchNormalization()])
    kernel = [inner.layers[0].kernel.path]
    assert invariant(inner) == kernel
    assert invariant(functional(lambda x: layers.Activation("relu")(inner(x)))) == kernel

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = layers.Conv2D(2, 3), layers.BatchNormalization()

        def call(self, x, training=False):
            return self.norm(self.conv(x), training=training)

    own = Own()
    own(np.zeros((1, 6, 6, 4), "float32"))
    assert invariant(own) == []


LAYERS = {
    "dense": (layers.Dense(6), (None, 4), "kernel", (0,)),
    "dense bias": (layers.Dense(6), (None, 4), "bias", (0,)),
    "dense of one output": (layers.Dense(1), (None, 4), "kernel", (0, 1)),
    "einsum": (layers.EinsumDense("ab,bcd->acd", (3, 6)), (None, 4), "kernel", (0,)),
    "conv 1D": (layers.Conv1D(6, 3), (None, 8, 4), "kernel", (0, 1)),
    "conv 2D": (layers.Conv2D(6, 3), (None, 8, 8, 4), "kernel", (0, 1, 2)),
    "conv 3D": (layers.Conv3D(6, 3), (None, 8, 8, 8, 4), "kernel", (0, 1, 2, 3)),
    "transposed 1D": (layers.Conv1DTranspose(6, 3), (None, 8, 4), "kernel", (0, 2)),
    "transposed 2D": (layers.Conv2DTranspose(6, 3), (None, 8, 8, 4), "kernel", (0, 1, 3)),
    "transposed 3D": (layers.Conv3DTranspose(6, 3), (None, 8, 8, 8, 4), "kernel", (0, 1, 2, 4)),
    "transposed bias": (layers.Conv2DTranspose(6, 3), (None, 8, 8, 4), "bias", (0,)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (None, 8, 8, 4), "kernel", (0, 1)),
    "separable, window": (layers.SeparableConv2D(6, 3), (None, 8, 8, 4), "depthwise_kernel", (0, 1)),
    "separable, point": (layers.SeparableConv2D(6, 3), (None, 8, 8, 4), "pointwise_kernel", (0, 1, 2)),
    "batch norm": (layers.BatchNormalization(), (None, 8, 8, 4), "gamma", (0,)),
    "embedding": (layers.Embedding(9, 4), (None, 3), "embeddings", (0,)),
}


@pytest.mark.parametrize(("layer", "input_shape", "name", "axes"), LAYERS.values(), ids=LAYERS)
def test_unit_axes_leave_the_outputs(layer, input_shape, name, axes):
    if not layer.built:
        layer.build(input_shape)
    variable = getattr(layer, name)
    assert unit_axes(variable.shape, weight_kind(layer, variable)) == axes
