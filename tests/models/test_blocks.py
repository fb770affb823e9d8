import keras
import numpy as np
import pytest

from unetdyn.models import AttentionResUNet, UNet


def _layers(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(("given", "expected"), [({}, 0.9), ({"norm_momentum": 0.5}, 0.5)])
def test_batch_norm_has_the_momentum_asked_for(given, expected):
    norms = _layers(UNet((8, 8, 1), filters=1, depth=1, **given), keras.layers.BatchNormalization)

    assert {norm.momentum for norm in norms} == {expected}
    assert len(norms) == 6


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(("filters", "groups"), [(1, [1, 2]), (6, [2, 4]), (8, [8, 8]), (20, [4, 8])])
def test_group_norm_has_eight_groups_or_as_many_as_divide_the_channels(filters, groups):
    model = UNet((8, 8, 1), filters=filters, depth=1, norm="group")

    assert [model.get_layer(name).groups for name in ("enc1_norm1", "bottleneck_norm1")] == groups


@pytest.mark.parametrize(("norm", "axes"), [("instance", (1, 2)), ("layer", 3)])
def test_instance_and_layer_norm_standardise_over_pixels_and_over_channels(norm, axes):
    model = UNet((8, 8, 1), filters=2, depth=1, norm=norm, seed=0)
    part = keras.Model(model.input, [model.get_layer(f"enc1_{name}").output for name in ("conv1", "norm1")])
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")

    before, after = (keras.ops.convert_to_numpy(y) for y in part(x))

    mean, variance = before.mean(axes, keepdims=True), before.var(axes, keepdims=True)
    np.testing.assert_allclose(after, (before - mean) / np.sqrt(variance + 1e-3), atol=1e-5)


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("norm", ["batch", "group", "instance", "layer", None])
def test_convolutions_have_a_bias_only_where_no_norm_follows(norm):
    model = AttentionResUNet((8, 8, 1), filters=2, depth=1, norm=norm)

    assert {layer.use_bias for layer in model.layers if layer.name in ("enc1_conv1", "dec1_shortcut")} == {norm is None}
    assert model.get_layer("head_conv").use_bias


def test_residual_block_is_the_activated_sum_of_two_convolutions_and_a_shortcut():
    model = AttentionResUNet((8, 8, 3), filters=2, depth=1, norm=None, activation="tanh", seed=0)
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype("float32")
    block = keras.Model(model.input, model.get_layer("enc1_act2").output)

    def apply(name, value):
        return keras.ops.convert_to_numpy(model.get_layer(name)(value))

    expected = np.tanh(apply("enc1_conv2", np.tanh(apply("enc1_conv1", x))) + apply("enc1_shortcut", x))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(block(x)), expected, atol=1e-5)


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("builder", [UNet, AttentionResUNet])
def test_dropout_sits_in_every_block_and_is_absent_at_rate_zero(builder):
    def names(rate):
        return {
            layer.name for layer in _layers(builder((8, 8, 1), filters=1, depth=1, dropout=rate), keras.layers.Dropout)
        }

    assert names(0.25) == {"enc1_dropout", "bottleneck_dropout", "dec1_dropout"}
    assert names(0.0) == set()
