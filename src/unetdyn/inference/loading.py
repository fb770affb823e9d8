"""A saved model, opened so that its file can run nothing, and what it takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from unetdyn import runs
from unetdyn.runs.input_recipe import InputRecipe, input_of
from unetdyn.runs.model_file import check_model_file


def load(path: str | Path, custom_objects: Mapping[str, Any] | None = None) -> tuple[keras.Model, InputRecipe | None]:
    """The model of a `.keras` file or a run directory, and how its images must be made ready.

    Args:
        path: Of the file or the folder, wherever it comes from: no code that is in it is run.
        custom_objects: Name → class or function of your own that the model is made of; default none.

    Returns:
        The model, and the recipe; None where nobody has said it.

    Raises:
        FileNotFoundError: If it is not there, or the run has saved no model.
        RunError: A ValueError: if the file is damaged, or holds a Lambda or a class of somebody else, which is named.

    Example:
        >>> import tempfile
        >>> from unetdyn.inference import InputRecipe, load, store_input
        >>> file = Path(tempfile.mkdtemp()) / "model.keras"
        >>> keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3)]).save(file)
        >>> store_input(file, InputRecipe("unit"))
        >>> model, recipe = load(file)
        >>> recipe.normalise
        'unit'
    """
    path = Path(path)
    recipe = input_of(path)
    file = path
    if path.is_dir():
        found = runs.open(path).model_path
        if found is None:
            raise FileNotFoundError(f"`path` must have saved a model. Received: {path}, which has no model.keras.")
        file = found
    return open_model_file(file, custom_objects), recipe


def open_model_file(file: Path, custom_objects: Mapping[str, Any] | None = None) -> keras.Model:
    """The model in a `.keras` file, which is looked through first; Keras' `safe_mode` stays on.

    Raises:
        RunError: As in `load`.
    """
    check_model_file(file, {**keras.saving.get_custom_objects(), **(custom_objects or {})})
    try:
        return keras.saving.load_model(file, custom_objects=dict(custom_objects or {}), safe_mode=True)
    except Exception as error:  # Keras, and the reader of its weights, raise almost anything
        why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise runs.RunError(f"{file} is damaged, or another version of Keras made it: {why[0][:200]}") from error
