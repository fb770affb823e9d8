"""A path is enough: the model, and how its images are made ready, come from one file."""

import keras
import numpy as np
import pytest

from unetdyn.data import normalise
from unetdyn.inference import InputRecipe, input_of, load, predict_tiled, store_input
from unetdyn.runs import RunWriter


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    inputs = keras.Input((None, None, 1))
    kernel = keras.initializers.Constant(2.0)
    keras.Model(inputs, keras.layers.Conv2D(1, 1, kernel_initializer=kernel)(inputs)).save(path)
    return path


def test_file_with_a_recipe_needs_no_more_arguments(file, tmp_path):
    stored = tmp_path / "model.keras"
    stored.write_bytes(file.read_bytes())
    store_input(stored, InputRecipe("per_image", tile=(16, 16), output="logits"))
    image = np.random.default_rng(0).integers(0, 255, (20, 30), dtype="uint8")
    found = predict_tiled(stored, image, batch_size=2)
    np.testing.assert_allclose(
        found, 1 / (1 + np.exp(-2 * normalise(image[np.newaxis, ..., np.newaxis])[0, ..., 0])), atol=1e-5
    )
    model, recipe = load(stored)
    assert recipe == input_of(stored)
    np.testing.assert_array_equal(model.get_weights()[0].ravel(), [2.0])


def test_file_that_does_not_say_it_is_refused(file):
    assert load(file)[1] is None
    with pytest.raises(ValueError, match=r"`normalise` must say .* Store it with `unetdyn.inference.store_input`"):
        predict_tiled(file, np.zeros((8, 8)), tile=8)


def test_run_is_loaded_with_its_configuration(file, tmp_path):
    path = RunWriter(tmp_path / "run", config={"data": {"normalise": "unit", "downsample": 2, "tile": 8}}).path
    with pytest.raises(FileNotFoundError, match="`path` must have saved a model"):
        load(path)
    (path / "model.keras").write_bytes(file.read_bytes())
    assert load(path)[1] == InputRecipe("unit", 2, (8, 8))
    with pytest.warns(UserWarning, match="trained on images made 2 times smaller") as caught:
        predict_tiled(path, np.zeros((8, 8), "uint8"), batch_size=1)
    assert caught[0].message.code == "inference.downsample"
