import re

import keras
import numpy as np
import pytest

from unetdyn.models import AttentionUNet, UNet

BAD = {
    "rank 2": ({"input_shape": (32, 1)}, "`input_shape` must be (height, width, channels) or (depth, height, width"),
    "not a shape": ({"input_shape": 32}, "Received: input_shape=32"),
    "size 0": ({"input_shape": (0, 32, 1)}, "Sizes are whole numbers of at least 1, or None where they vary."),
    "size 1.5": ({"input_shape": (1.5, 32, 1)}, "Sizes are whole numbers of at least 1"),
    "size True": ({"input_shape": (True, 32, 1)}, "Sizes are whole numbers of at least 1"),
    "no channels": ({"input_shape": (32, 32, None)}, "The channels, which come last, must be known."),
    "too small": ({"input_shape": (32, 15, 1)}, "at least 2**depth = 16 pixels in every spatial dimension"),
    "classes 0": ({"classes": 0}, "`classes` must be a whole number, 1 or more. Received: classes=0."),
    "filters 1.5": ({"filters": 1.5}, "`filters` must be a whole number, 1 or more. Received: filters=1.5."),
    "depth 0": ({"depth": 0}, "`depth` must be a whole number, 1 or more. Received: depth=0."),
    "depth True": ({"depth": True}, "`depth` must be a whole number, 1 or more. Received: depth=True."),
    "seed -1": ({"seed": -1}, "`seed` must be a whole number, 0 or more, or None. Received: seed=-1."),
    "norm": (
        {"norm": "bach"},
        "`norm` must be one of 'batch', 'group', 'instance', 'layer', None. Received: norm='bach'",
    ),
    "upsample": ({"upsample": "cubic"}, "`upsample` must be one of 'nearest', 'linear', 'transpose'. Received"),
    "output": ({"output": "logit"}, "Received: output='logit'. Did you mean 'logits'?"),
    "variant": (
        {"variant": "tutorial"},
        "`variant` must be one of 'default', 'bnsreenu'. Received: variant='tutorial'",
    ),
    "dropout 1": ({"dropout": 1.0}, "`dropout` must lie between 0 and 1, without 1. Received: dropout=1.0."),
    "dropout text": ({"dropout": "0.1"}, "Received: dropout='0.1'."),
    "l1": ({"l1": -1e-4}, "`l1` must be a finite number, 0 or above. Received: l1=-0.0001."),
    "l2": ({"l2": "small"}, "`l2` must be a finite number, 0 or above. Received: l2='small'."),
    "momentum": ({"norm_momentum": 1.0}, "`norm_momentum` must lie between 0 and 1, without 0 and 1, or None"),
    "activation": ({"activation": "rellu"}, "Received: activation='rellu'. Did you mean 'relu'?"),
    "instance": (
        {"input_shape": (16, 16, 1), "norm": "instance"},
        "the bottleneck here has one pixel: only zeros would leave it. Received: input_shape=(16, 16, 1), depth=4.",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_builders_refuse_bad_arguments_by_name(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        UNet(**({"input_shape": (32, 32, 1), "filters": 2} | arguments))


def test_builders_refuse_an_activation_layer():
    with pytest.raises(ValueError, match="not a layer: all blocks would share it"):
        UNet((32, 32, 1), filters=2, activation=keras.layers.PReLU())


def test_attention_builders_refuse_an_unknown_gate():
    with pytest.raises(ValueError, match=r"`gate` must be one of 'oktay', 'additive'. Received: gate='octay'. Did you"):
        AttentionUNet((32, 32, 1), filters=2, gate="octay")


@pytest.mark.usefixtures("without_weights")
def test_builders_take_lists_and_numpy_numbers_as_a_config_may_hold_them():
    model = UNet([np.int64(8), None, 1], classes=np.int32(2), filters=np.int64(2), depth=1, dropout=np.float32(0.5))

    assert model.output_shape == (None, 8, None, 2)
    assert type(model.get_layer("enc1_conv1").filters) is int


@pytest.mark.usefixtures("without_weights")
def test_builders_take_a_function_as_activation():
    model = UNet((4, 4, 1), filters=1, depth=1, activation=keras.activations.gelu)

    assert model.get_layer("enc1_act1").activation is keras.activations.gelu


@pytest.mark.usefixtures("without_weights")
def test_instance_norm_is_accepted_where_the_bottleneck_has_two_pixels():
    assert UNet((16, 17, 1), filters=1, norm="instance").output_shape == (None, 16, 17, 1)
