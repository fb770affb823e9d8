import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unetdyn
from autodiff import gradient
from unetdyn.dynamics.weight_kinds import weight_kind
from unetdyn.models import UNet
from unetdyn.models.transposed import Conv2DTranspose, Conv3DTranspose, tiles_exactly, transposed_product

KERAS = {Conv2DTranspose: keras.layers.Conv2DTranspose, Conv3DTranspose: keras.layers.Conv3DTranspose}


def _array(x):
    return keras.ops.convert_to_numpy(x)


def _normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _pair(layer, *arguments, channels=3, **options):
    """One of ours and Keras' own with equal weights, none of them zero."""
    ours, theirs = layer(*arguments, **options), KERAS[layer](*arguments, **options)
    shape = (None,) * (ours.rank + 1) + (channels,)
    for each in (ours, theirs):
        each.build(shape)
        each.set_weights([_normal(*weight.shape, seed=len(weight.shape)) for weight in each.weights])
    return ours, theirs


def _by_hand(x, kernel):
    """Σ over input channels, pixel by pixel and place by place in the window."""
    window, rank = kernel.shape[:-2], x.ndim - 2
    y = np.zeros((len(x), *(n * s for n, s in zip(x.shape[1:-1], window, strict=True)), kernel.shape[-2]))
    for pixel in np.ndindex(x.shape[:-1]):
        for place in np.ndindex(window):
            fine = tuple(pixel[1 + i] * window[i] + place[i] for i in range(rank))
            y[(pixel[0], *fine)] += kernel[place].astype("float64") @ x[pixel]
    return y


@pytest.mark.parametrize("window", [(2, 2), (3, 1), (2, 2, 2), (1, 3, 2)])
def test_transposed_product_equals_the_loop(window):
    x, kernel = _normal(2, *range(3, 3 + len(window)), 5), _normal(*window, 4, 5, seed=1)

    np.testing.assert_allclose(_array(transposed_product(x, kernel)), _by_hand(x, kernel), atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_transposed_product_equals_the_loop_for_any_sizes(sizes, batch, channels, out):
    x, kernel = _normal(batch, *sizes, channels), _normal(*(2 for _ in sizes), out, channels, seed=1)

    np.testing.assert_allclose(_array(transposed_product(x, kernel)), _by_hand(x, kernel), atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("layer", "sizes"), [(Conv2DTranspose, (3, 4)), (Conv3DTranspose, (2, 3, 1))])
def test_layer_equals_keras_own_with_gradients(layer, sizes, padding):
    ours, theirs = _pair(layer, 4, 2, 2, padding=padding, activation="tanh")
    x = _normal(2, *sizes, 3)

    np.testing.assert_allclose(_array(ours(x)), _array(theirs(x)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient(ours, x), gradient(theirs, x), rtol=1e-5, atol=1e-5)
    for place, weight in enumerate(ours.get_weights()):
        wanted, found = (gradient(_as_function_of(each, place, x), weight) for each in (theirs, ours))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def _as_function_of(layer, place, x):
    """The layer's output, as a function of one of its weights."""

    def output(weight):
        weights = [variable.value for variable in layer.trainable_variables]
        weights[place] = weight
        return layer.stateless_call(weights, [], x)[0]

    return output


@pytest.mark.parametrize("options", [{"strides": 1}, {"strides": 2, "kernel_size": 3}, {"dilation_rate": 2}])
def test_what_overlaps_is_computed_as_keras_does(options):
    ours, theirs = _pair(Conv2DTranspose, **{"filters": 2, "kernel_size": 2, **options})
    x = _normal(1, 4, 3, 3)

    assert not tiles_exactly(ours)
    np.testing.assert_array_equal(_array(ours(x)), _array(theirs(x)))


def test_channels_first_and_output_padding_are_left_to_keras():
    assert tiles_exactly(Conv2DTranspose(2, 2, 2, data_format="channels_last"))
    assert not tiles_exactly(Conv2DTranspose(2, 2, 2, data_format="channels_first"))
    assert not tiles_exactly(Conv2DTranspose(2, 2, 2, output_padding=1))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_layer_computes_in_the_dtype_of_its_policy(policy):
    ours, theirs = _pair(Conv2DTranspose, 4, 2, 2, dtype=policy)
    x = _normal(1, 3, 4, 3)
    y = ours(x)

    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in ours.weights} == {"float32"}
    wanted = _array(keras.ops.cast(theirs(x), "float32"))
    np.testing.assert_allclose(_array(keras.ops.cast(y, "float32")), wanted, rtol=0.02, atol=0.05)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_layer_trains_on_sizes_unknown_at_build_time(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("Keras runs steps eagerly on PyTorch")
    x, y = _normal(2, 3, 5, 3), _normal(2, 6, 10, 4, seed=1)
    trained = []
    for layer in _pair(Conv2DTranspose, 4, 2, 2, kernel_regularizer="l2"):
        inputs = keras.Input((None, None, 3))
        model = keras.Model(inputs, layer(inputs))
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.fit(x, y, verbose=0)
        assert model.output_shape == (None, None, None, 4)
        trained.append(layer.get_weights())

    for found, wanted in zip(*trained, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("without_weights")
def test_reports_and_units_see_a_transposed_convolution():
    model = UNet((16, 16, 1), filters=2, depth=1, upsample="transpose")
    layer = model.get_layer("dec1_up")

    assert isinstance(layer, keras.layers.Conv2DTranspose)
    assert weight_kind(layer, layer.kernel) == "transposed"
    assert layer.kernel.shape == (2, 2, 2, 4)
    assert [weight.path for weight in layer.weights] == ["dec1_up/kernel", "dec1_up/bias"]


# Files: those of a U-Net with ours, and of the same network with Keras' own, which is what was written before.


@pytest.fixture(scope="module")
def networks():
    """Ours and, from its configuration as Keras writes its own layers, the one of before; with equal weights."""
    ours = UNet((4, 6, 1), filters=2, depth=1, upsample="transpose", norm=None, seed=0)
    described = json.dumps(keras.saving.serialize_keras_object(ours))
    assert described.count('"registered_name": "Conv2DTranspose"') == 1
    before = described.replace('"registered_name": "Conv2DTranspose"', '"registered_name": null')
    theirs = keras.saving.deserialize_keras_object(json.loads(before))
    theirs.set_weights(ours.get_weights())
    return ours, theirs, _normal(1, 4, 6, 1)


def _class_of(model):
    return type(model.get_layer("dec1_up"))


def _description(model):
    """What a file says of its transposed convolutions."""
    described = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))["config"]["layers"]
    return [layer for layer in described if layer["class_name"] == "Conv2DTranspose"]


def test_files_differ_in_the_registered_name_alone(networks):
    ours, theirs = (_description(model) for model in networks[:2])

    assert [layer.pop("registered_name") for layer in ours] == ["Conv2DTranspose"]
    assert [layer.pop("registered_name") for layer in theirs] == [None]
    assert ours == theirs


@pytest.mark.parametrize("written_by", [0, 1])
def test_weights_of_one_are_read_by_the_other(networks, tmp_path, written_by):
    x = networks[2]
    writer, reader = networks[written_by], keras.models.clone_model(networks[1 - written_by])
    assert _class_of(writer) is not _class_of(reader)
    for file in ("some.weights.h5", "some.keras"):
        reader.set_weights([np.zeros_like(weight) for weight in reader.get_weights()])
        (writer.save_weights if "weights" in file else writer.save)(tmp_path / file)
        reader.load_weights(tmp_path / file)
        np.testing.assert_allclose(_array(reader(x)), _array(writer(x)), rtol=1e-5, atol=1e-6)


def test_a_file_gives_each_class_back(networks, tmp_path):
    for model, layer in zip(networks, (Conv2DTranspose, keras.layers.Conv2DTranspose), strict=False):
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        assert _class_of(again) is layer
        np.testing.assert_array_equal(_array(again(networks[2])), _array(model(networks[2])))


FRESH = """
import sys, json, numpy as np, keras
x, answers = np.array(json.loads(sys.argv[2]), "float32"), []
for _ in "before", "after":
    model = keras.saving.load_model(sys.argv[1])
    own = type(model.get_layer("dec1_up")) is keras.layers.Conv2DTranspose
    answers.append(["unetdyn" in sys.modules, own, keras.ops.convert_to_numpy(model(x)).tolist()])
    import unetdyn
print(json.dumps(answers))
"""


def test_a_fresh_process_opens_the_file_without_unetdyn_and_with_it(networks, tmp_path):
    model, _, x = networks
    model.save(tmp_path / "model.keras")
    environment = os.environ | {"PYTHONPATH": str(Path(unetdyn.__file__).parents[1])}
    command = [sys.executable, "-c", FRESH, str(tmp_path / "model.keras"), json.dumps(x.tolist())]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)

    assert process.returncode == 0, process.stderr[-3000:]
    without, with_it = json.loads(process.stdout)
    assert without[:2] == [False, True]
    assert with_it[:2] == [True, False]
    for answer in (without[2], with_it[2]):
        np.testing.assert_allclose(answer, _array(model(x)), rtol=1e-5, atol=1e-6)
