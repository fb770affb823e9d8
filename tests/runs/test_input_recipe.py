"""How images were made ready is kept in the model's file, which stays what Keras opens."""

import zipfile

import numpy as np
import pytest

from unetdyn.runs import RunError, RunWriter
from unetdyn.runs.input_recipe import MEMBER, InputRecipe, add_input, input_of, of_config, store_input

RECIPES = [
    InputRecipe("per_image"),
    InputRecipe("none", downsample=2, tile=(64, 32), output="logits"),
    InputRecipe((127.5, 30)),
    InputRecipe((np.array([0.5, 0.4]), [0.2, 0.1]), tile=[8, 64, 64], output="probabilities"),
]


def archive(path, content=b"{}"):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", content)
        file.writestr("model.weights.h5", b"weights" * 1000)
    return path


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_comes_back_as_it_was_and_the_rest_stays(recipe, tmp_path):
    path = archive(tmp_path / "model.keras")
    assert input_of(path) is None
    store_input(path, InputRecipe("unit"))
    store_input(path, recipe)
    assert input_of(path) == recipe
    with zipfile.ZipFile(path) as file:
        assert sorted(file.namelist()) == ["config.json", "model.weights.h5", MEMBER]
        assert file.read("model.weights.h5") == b"weights" * 1000
        assert file.testzip() is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.keras"]


def test_file_that_says_it_already_is_left_alone(tmp_path):
    path = archive(tmp_path / "model.keras")
    add_input(path, RECIPES[0])
    before = path.stat().st_mtime_ns
    store_input(path, RECIPES[0])
    add_input(path, None)
    assert path.stat().st_mtime_ns == before


def test_run_says_it_in_its_model_or_in_its_configuration(tmp_path):
    config = {"data": {"normalise": "per_image", "tile": [4, 32, 32], "downsample": 2}, "model": {"output": "logits"}}
    path = RunWriter(tmp_path / "run", config=config).path
    assert input_of(path) == InputRecipe("per_image", 2, (4, 32, 32), "logits")
    archive(path / "model.keras")
    assert input_of(path) == InputRecipe("per_image", 2, (4, 32, 32), "logits")
    store_input(path / "model.keras", RECIPES[2])
    assert input_of(path) == RECIPES[2]


@pytest.mark.parametrize("config", [{}, {"data": 3}, {"data": {"normalise": "mine"}}, {"data": {}}])
def test_other_configurations_say_nothing(config):
    assert of_config(config) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"normalise": "per_imag"}, "Did you mean 'per_image'"),
        ({"normalise": (0, 0)}, "deviations above 0"),
        ({"normalise": (0, np.nan)}, "two finite numbers"),
        ({"normalise": ((0, 1), 1)}, "or one a channel in each"),
        ({"normalise": None}, "Received: normalise=None"),
        ({"normalise": "unit", "downsample": 0}, "`downsample` must be a whole number, 1 or more"),
        ({"normalise": "unit", "tile": (4,)}, "`tile` must be 2 or 3 whole numbers"),
        ({"normalise": "unit", "tile": 64}, "`tile` must be 2 or 3 whole numbers"),
        ({"normalise": "unit", "output": "softmax"}, "`output` must be one of"),
    ],
)
def test_recipes_that_mean_nothing_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        InputRecipe(**arguments)


@pytest.mark.parametrize("said", [b"[]", b"{", b'{"normalise": "mine", "downsample": 1, "tile": null, "output": null}'])
def test_damaged_recipe_is_refused(said, tmp_path):
    path = archive(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(MEMBER, said)
    with pytest.raises(RunError, match=r"must be a `.keras` file that tells how its images were made ready"):
        input_of(path)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_text("no archive")
    with pytest.raises(RunError, match="It is damaged, or of another kind"):
        input_of(tmp_path / "model.keras")
    with pytest.raises(FileNotFoundError, match=r"`path` must be a `.keras` file or a run directory"):
        input_of(tmp_path / "nothing.keras")
