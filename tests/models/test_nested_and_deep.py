"""UNet++'s skips, residual blocks and outputs of several levels."""

import re

import keras
import numpy as np
import pytest

from unetdyn.dynamics import blocks
from unetdyn.models import AttentionResUNet, UNet, without_deep_supervision


def _block(a, b):
    return 9 * a * b + b + 9 * b * b + b


def _residual(a, b):
    return _block(a, b) + a * b + b


@pytest.mark.usefixtures("without_weights")
def test_nested_unet_has_the_parameters_of_the_paper():
    model = UNet((96, 96, 1), filters=32, norm=None, upsample="transpose", skips="nested")

    # Zhou et al., 2018, table 2: 9.04 M. Below, level by level: encoder, transposed convolutions, nodes, head.
    c = [32, 64, 128, 256, 512]
    encoder = sum(_block(a, b) for a, b in zip([1, *c[:-1]], c, strict=True))
    up = sum((4 * 2 * b * b + b) * nodes for b, nodes in zip(c, (4, 3, 2, 1), strict=False))
    nodes = sum(_block((j + 1) * b, b) for b, count in zip(c, (4, 3, 2, 1), strict=False) for j in range(1, count + 1))
    assert model.count_params() == encoder + up + nodes + 33 == 9_041_601


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("kind", "down", "up"), [("residual", _residual, _residual), ("residual_encoder", _residual, _block)]
)
def test_residual_unet_has_the_parameters_of_the_closed_form(kind, down, up):
    model = UNet((8, 8, 1), filters=3, depth=2, norm=None, blocks=kind)

    assert model.count_params() == down(1, 3) + down(3, 6) + down(6, 12) + up(12 + 6, 6) + up(6 + 3, 3) + 4


@pytest.mark.usefixtures("without_weights")
def test_nodes_get_all_before_them_and_the_one_below():
    model = UNet((8, 8, 1), filters=2, depth=2, skips="nested")

    def sources(name):
        return [tensor._keras_history.operation.name for tensor in model.get_layer(name).input]

    assert sources("dec1_1_concat") == ["dec1_1_up", "enc1_act2"]
    assert sources("dec2_concat") == ["dec2_up", "enc2_act2"]
    assert sources("dec1_concat") == ["dec1_up", "enc1_act2", "dec1_1_act2"]
    assert model.get_layer("dec1_1_up").input._keras_history.operation.name == "enc2_act2"
    assert model.get_layer("dec1_up").input._keras_history.operation.name == "dec2_act2"
    assert list(blocks(model)) == ["enc1", "enc2", "bottleneck", "dec2", "dec1", "head"]


def test_nested_unet_predicts_at_sizes_that_do_not_divide():
    model = UNet((None, None, 1), filters=2, depth=2, skips="nested", seed=0)

    assert model.predict(np.ones((1, 9, 11, 1), "float32"), verbose=0).shape == (1, 9, 11, 1)


@pytest.mark.usefixtures("without_weights")
@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        ({"deep_supervision": True}, [16, 8, 4]),
        ({"deep_supervision": 2}, [16, 8]),
        ({"deep_supervision": True, "skips": "nested"}, [16, 16, 16]),
    ],
    ids=str,
)
def test_outputs_are_a_list_that_begins_with_full_resolution(arguments, sizes):
    model = UNet((16, 16, 1), classes=3, filters=2, depth=3, **arguments)

    assert isinstance(model.output, list)
    assert model.output_shape == [(None, size, size, 3) for size in sizes]
    assert model.output_names == ["head_act", "head2_act", "head3_act"][: len(sizes)]
    assert [block for block in blocks(model) if block.startswith("head")] == ["head3", "head2", "head"][-len(sizes) :]


@pytest.mark.usefixtures("without_weights")
def test_nested_heads_begin_at_the_deepest_node():
    model = UNet((8, 8, 1), filters=2, depth=2, skips="nested", deep_supervision=True)

    assert model.get_layer("head_conv").input._keras_history.operation.name == "dec1_act2"
    assert model.get_layer("head2_conv").input._keras_history.operation.name == "dec1_1_act2"


def test_first_output_alone_is_the_model_that_predicts(tmp_path):
    model = AttentionResUNet((None, None, 1), filters=2, depth=2, deep_supervision=True, seed=0)
    x = np.random.default_rng(0).normal(size=(2, 8, 12, 1)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    single = without_deep_supervision(loaded)

    first, second = model.predict(x, verbose=0)
    assert (first.shape, second.shape) == ((2, 8, 12, 1), (2, 4, 6, 1))
    assert "head2_conv" not in [layer.name for layer in single.layers]
    np.testing.assert_array_equal(single.predict(x, verbose=0), first)


BAD = {
    "one": (
        {"deep_supervision": 1},
        "`deep_supervision` must be a whole number of outputs, from 2 to 3, or True for all.",
    ),
    "four": ({"deep_supervision": 4}, "from 2 to 3, or True for all. Received: deep_supervision=4."),
    "shallow": (
        {"deep_supervision": True, "depth": 1},
        "`deep_supervision` needs two levels at least. Received: depth=1.",
    ),
    "size": (
        {"deep_supervision": True, "input_shape": (None, 20, 1)},
        "needs sizes that 2**depth = 8 divides, so that each output is a whole part of the labels. Received: input",
    ),
    "skips": (
        {"skips": "nestd"},
        "`skips` must be one of 'plain', 'nested'. Received: skips='nestd'. Did you mean 'nes",
    ),
    "blocks": ({"blocks": "resnet"}, "`blocks` must be one of 'plain', 'residual', 'residual_encoder'. Received"),
    "tutorial, skips": ({"variant": "bnsreenu", "depth": 4, "skips": "nested"}, "which have skips='plain'"),
    "tutorial, blocks": ({"variant": "bnsreenu", "depth": 4, "blocks": "residual"}, "which have blocks='plain'"),
    "tutorial, deep": ({"variant": "bnsreenu", "depth": 4, "deep_supervision": 2}, "which have deep_supervision=False"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_builder_refuses_what_does_not_go_together(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        UNet(**({"input_shape": (16, 16, 1), "filters": 2, "depth": 3} | arguments))


@pytest.mark.usefixtures("without_weights")
def test_model_with_one_output_has_no_other_to_leave_out():
    with pytest.raises(ValueError, match=r"`model` must have several outputs.*Received: model='unet', with one"):
        without_deep_supervision(UNet((4, 4, 1), filters=1, depth=1))
