"""The builders: counts, seeds, saving and training."""

import keras
import numpy as np
import pytest

from unetdyn.models import AttentionResUNet, AttentionUNet, UNet, attention_model

BUILDERS = [UNet, AttentionUNet, AttentionResUNet]


def _image(*shape):
    return np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")


@pytest.mark.usefixtures("without_weights")
def test_unet_has_the_parameters_of_the_classical_network():
    model = UNet((572, 572, 1), classes=2, norm=None, upsample="transpose")

    assert model.count_params() == 31_030_658


def _closed_form(rank, channels, classes, filters, depth, transpose):
    """Weights of a U-Net without norms, summed level by level."""

    def convolution(size, a, b):
        return size**rank * a * b + b

    def block(a, b):
        return convolution(3, a, b) + convolution(3, b, b)

    total, a = 0, channels
    for level in range(depth + 1):
        total, a = total + block(a, filters * 2**level), filters * 2**level
    for level in reversed(range(depth)):
        b = filters * 2**level
        total += (convolution(2, 2 * b, b) + block(2 * b, b)) if transpose else block(3 * b, b)
    return total + convolution(1, filters, classes)


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize("upsample", ["nearest", "linear", "transpose"])
@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 16, 16, 2)], ids=str)
def test_unet_has_the_parameters_of_the_closed_form(shape, upsample):
    model = UNet(shape, classes=3, filters=5, depth=3, norm=None, upsample=upsample)

    assert model.count_params() == _closed_form(len(shape) - 1, shape[-1], 3, 5, 3, upsample == "transpose")


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("builder", "name"), [(UNet, "unet"), (AttentionUNet, "attention_unet"), (AttentionResUNet, "attention_res_unet")]
)
def test_builders_name_the_model(builder, name):
    assert builder((4, 4, 1), filters=1, depth=1).name == name
    assert builder((4, 4, 1), filters=1, depth=1, name="mine").name == "mine"


@pytest.mark.parametrize("builder", BUILDERS)
def test_seed_fixes_weights_and_dropout(builder):
    def answers(seed):
        model = builder((8, 8, 1), filters=2, depth=1, dropout=0.5, upsample="transpose", seed=seed)
        return [*model.get_weights(), keras.ops.convert_to_numpy(model(_image(8, 8, 1), training=True))]

    first, again, other = answers(7), answers(7), answers(8)

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[-1], other[-1])


@pytest.mark.usefixtures("without_weights")
def test_seed_gives_every_layer_its_own_draw():
    model = AttentionResUNet((8, 8, 1), filters=2, depth=2, dropout=0.5, upsample="transpose", seed=0)

    kernels = [layer.kernel_initializer.seed for layer in model.layers if hasattr(layer, "kernel_initializer")]
    dropouts = [layer.seed for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    assert len({*kernels, *dropouts}) == len(kernels) + len(dropouts) == 24 + 5


def test_without_a_seed_keras_global_seed_decides():
    def kernel(seed):
        keras.utils.set_random_seed(seed)
        return UNet((4, 4, 1), filters=2, depth=1).get_weights()[0]

    np.testing.assert_array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("enc1_conv1", "2 / fan_in"),
        ("enc1_conv2", "1 / fan_in"),
        ("enc1_shortcut", "1 / fan_in"),
        ("gate1_theta", "1 / fan_in"),
        ("gate1_phi", "1 / fan_in"),
        ("gate1_psi", "2 / (fan_in + fan_out)"),
        ("head_conv", "2 / (fan_in + fan_out)"),
    ],
)
def test_kernels_start_with_the_variance_of_what_they_lead_to(name, variance):
    shape = (1, 1, 96, 64)
    initializer = AttentionResUNet((8, 8, 1), filters=1, depth=1, seed=0).get_layer(name).kernel_initializer

    kernel = keras.ops.convert_to_numpy(initializer(shape))

    expected = {"2 / fan_in": 2 / 96, "1 / fan_in": 1 / 96, "2 / (fan_in + fan_out)": 2 / 160}[variance]
    assert kernel.var() == pytest.approx(expected, rel=0.06)


# TensorFlow has no float16 pooling of volumes on the CPU.
@pytest.mark.parametrize(
    ("policy", "shape"),
    [
        ("float32", (None, None, None, 1)),
        ("mixed_bfloat16", (9, None, 8, 1)),
        ("mixed_float16", (None, None, 1)),
        ("mixed_float16", (9, 8, 1)),
    ],
)
def test_saved_model_loads_and_predicts_the_same(tmp_path, policy, shape):
    keras.config.set_dtype_policy(policy)
    try:
        model = AttentionResUNet(shape, filters=2, depth=1, norm="group", upsample="linear", dropout=0.1, seed=0)
    finally:
        keras.config.set_dtype_policy("float32")
    x = _image(*(size or 5 for size in shape[:-1]), 1)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert sorted(attention_model(loaded).output) == ["gate1"]


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        (UNet, {"upsample": "transpose", "norm": None}),
        (AttentionUNet, {"gate": "additive", "norm": "group"}),
        (AttentionResUNet, {"upsample": "linear"}),
    ],
)
def test_one_step_moves_every_weight_at_sizes_unknown_when_building(builder, arguments):
    model = builder((None, None, 1), filters=4, depth=1, seed=0, **arguments)
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    before = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]

    model.fit(_image(9, 11, 1), np.ones((2, 9, 11, 1), "float32"), epochs=1, verbose=0)

    unmoved = [
        weight.path
        for weight, old in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(keras.ops.convert_to_numpy(weight), old)
    ]
    assert unmoved == []
