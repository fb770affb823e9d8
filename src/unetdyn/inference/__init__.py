"""A trained model applied to images and volumes of any size."""

# Keras first: loading it registers our objects, and that must not meet this room half imported.
import keras  # noqa: F401  # isort: skip

from unetdyn.inference.loading import load
from unetdyn.inference.predict import predict_tiled
from unetdyn.runs.input_recipe import InputRecipe, input_of, store_input

__all__ = ["InputRecipe", "input_of", "load", "predict_tiled", "store_input"]
