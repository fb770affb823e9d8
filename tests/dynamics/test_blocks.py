import itertools

import keras
import numpy as np
import pytest

from unetdyn.dynamics import blocks, layers_by_block
from unetdyn.models import AttentionUNet


def unet(name=None):
    layers = keras.layers
    inputs = keras.Input((4, 4, 1))
    down = layers.Conv2D(2, 3, padding="same", name="enc1_conv1")(inputs)
    down = layers.BatchNormalization(name="enc1_norm1")(down)
    low = layers.MaxPooling2D(name="enc1_pool")(down)
    low = layers.Conv2D(2, 3, padding="same", name="enc2_conv1")(low)
    bottom = layers.Conv2D(2, 3, padding="same", name="bottleneck_conv1")(low)
    dec2 = layers.Conv2D(2, 3, padding="same", name="dec2_conv1")(layers.Add(name="dec2_add")([low, bottom]))
    up = layers.UpSampling2D(name="dec1_up")(dec2)
    gate = layers.Conv2D(2, 1, activation="sigmoid", name="gate1_conv")(up)
    gated = layers.Multiply(name="gate1_multiply")([down, gate])
    dec1 = layers.Conv2D(2, 3, padding="same", name="dec1_conv1")(gated)
    return keras.Model(inputs, layers.Conv2D(1, 1, name="head_conv")(dec1), name=name)


ORDER = ["enc1", "enc2", "bottleneck", "dec2", "gate1", "dec1", "head"]


def assert_partition(found, model):
    assert sorted(itertools.chain(*found.values())) == list(range(len(model.trainable_variables)))


def test_blocks_of_a_unet_follow_its_names_in_the_order_of_the_network():
    model = unet()
    found = blocks(model)
    assert list(found) == ORDER
    assert_partition(found, model)
    for block, places in found.items():
        assert all(model.trainable_variables[place].path.startswith(block + "_") for place in places)
    assert len(found["enc1"]) == 4


def test_blocks_of_any_other_model_are_its_layers():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, name="head_dense"),
            keras.layers.ReLU(),
            keras.layers.Dense(1, name="enc1_"),
        ]
    )
    assert blocks(model) == {"head_dense": [0, 1], "enc1_": [2, 3]}


def test_blocks_of_a_wrapped_unet_are_its_own():
    inner = unet("inner")
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, name="after")(inner(keras.layers.Rescaling(2.0)(inputs))))
    found = blocks(model)
    assert list(found) == [*ORDER, "after"]
    assert_partition(found, model)


def test_blocks_of_two_unets_are_told_apart():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, unet("second")(unet("first")(inputs)))
    found = blocks(model)
    assert list(found) == [f"first/{block}" for block in ORDER] + [f"second/{block}" for block in ORDER]
    assert_partition(found, model)


def test_blocks_of_a_lone_nested_model_are_its_layers_and_of_one_among_others_itself():
    def inner():
        return keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(3, name="b")], name="deep"
        )

    inputs = keras.Input((3,))
    assert list(blocks(keras.Model(inputs, inner()(inputs)))) == ["a", "b"]
    assert blocks(keras.Model(inputs, keras.layers.Dense(1, name="c")(inner()(inputs)))) == {
        "deep": [0, 1, 2, 3],
        "c": [4, 5],
    }


def test_blocks_of_a_subclassed_model_hold_every_variable_once():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.first = keras.layers.Dense(2, name="first")
            self.rest = [keras.layers.Dense(2, name=f"rest{i}") for i in range(2)]
            self.shared = self.first
            self.gain = self.add_weight(shape=(), name="gain")

        def call(self, x):
            for layer in (self.first, *self.rest, self.shared):
                x = layer(x)
            return x * self.gain

    model = Own()
    model(np.zeros((1, 2), "float32"))
    found = blocks(model)
    assert set(found) == {"first", "rest0", "rest1", "own"}
    assert_partition(found, model)


def test_blocks_number_the_variables_that_are_given():
    model = unet()
    variables = model.trainable_variables[::-1]
    model.get_layer("enc1_conv1").trainable = False
    assert len(blocks(model)["enc1"]) == 2
    found = blocks(model, variables)
    assert found["head"] == [0, 1]
    assert sorted(itertools.chain(*found.values())) == list(range(len(variables)))


def test_blocks_refuse_a_model_that_is_not_built():
    with pytest.raises(ValueError, match="`model` must be built"):
        blocks(keras.Sequential([keras.layers.Dense(1)]))


def test_layers_by_block_has_frozen_layers_too():
    model = AttentionUNet((16, 16, 1), filters=2, depth=1)
    every = {block: [layer.name for layer in layers] for block, layers in layers_by_block(model).items()}
    assert list(every) == list(blocks(model)) == ["enc1", "bottleneck", "gate1", "dec1", "head"]
    assert all(name.startswith(f"{block}_") for block, names in every.items() for name in names)
    model.get_layer("head_conv").trainable = False
    assert "head" not in blocks(model)
    assert "head" in layers_by_block(model)


def test_layers_by_block_of_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match=r"`model` must be built before its variables can be told apart"):
        layers_by_block(keras.Sequential([keras.layers.Dense(1)]))


def test_layers_of_an_encoder_belong_to_the_first_level_that_needs_them():
    layers = keras.layers
    image = keras.Input((8, 8, 1))
    shared = layers.Conv2D(1, 3, 2, padding="same", name="shared")
    once = layers.BatchNormalization(name="own")(shared(image))
    twice = layers.Conv2D(2, 1, name="deep")(shared(once))
    side = layers.Conv2D(2, 1, name="aside")(once)  # needed by the last level alone
    deepest = layers.Add()([twice, layers.MaxPooling2D()(side)])
    encoder = keras.Model(image, {"bottleneck": deepest, "enc2": once}, name="encoder")
    inputs = keras.Input((8, 8, 1))
    features = encoder(inputs)
    up = layers.Conv2DTranspose(1, 2, 2, name="dec2_up")(features["bottleneck"])
    up = layers.Add(name="dec2_add")([up, features["enc2"]])
    model = keras.Model(inputs, [layers.Conv2D(1, 1, name=f"{head}_conv")(up) for head in ("head", "head2")])

    found = {block: [layer.name for layer in own] for block, own in layers_by_block(model).items()}

    assert list(found) == ["enc2", "bottleneck", "dec2", "head2", "head"]
    assert found["enc2"] == ["shared", "own"]
    assert sorted(found["bottleneck"]) == ["aside", "deep"]
    assert_partition(blocks(model), model)
