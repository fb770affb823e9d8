"""Layers that bear Keras' names."""

import keras
import pytest

from unetdyn.models.keras_names import named_as_keras_own


@pytest.mark.parametrize("own", [True, False])
def test_layer_of_another_backend_is_not_given_back_by_files(own, monkeypatch):
    objects = dict(keras.saving.get_custom_objects())
    monkeypatch.setattr(keras.saving, "get_custom_objects", lambda: objects)

    class Flatten(keras.layers.Flatten):
        pass

    named_as_keras_own(Flatten, backend=keras.backend.backend() if own else "another")
    assert ("Flatten" in objects) is own
    assert keras.saving.serialize_keras_object(Flatten())["module"] == "keras.layers"
