"""Layers that are Keras' own by name: what computes differs, and no file tells."""

from typing import Any, TypeVar

import keras

Layer = TypeVar("Layer", bound=type)


def named_as_keras_own(layer: Layer, backend: str | None = None) -> Layer:
    """Let a subclass of a layer of Keras', of the same name and arguments, be that layer in every file.

    A file says `keras.layers` and the class's name, and paths of weights are made of class names. So files from before
    open as they did, and who opens a new one needs neither this package nor the backend that it was written with: there
    it is Keras' layer, equal to rounding, and slower. What differs is `registered_name`, null for Keras' own: it is the
    plain name, under which the class stands among Keras' custom objects, so that where it has been imported a file
    gives it back. A class of the package "unetdyn", the usual way, would have made all these files ours alone.

    Such a layer *alone* can't be pickled, since pickle finds Keras' class at its place. Models can, and be copied.

    Args:
        layer: A class whose name is that of the layer of Keras' from which it is derived.
        backend: The one it computes on; under another, files give Keras' layer, whoever has imported the class.
            Default None: any.

    Returns:
        The class.

    Example:
        >>> @named_as_keras_own
        ... class Flatten(keras.layers.Flatten):
        ...     pass
        >>> keras.saving.serialize_keras_object(Flatten())["module"], issubclass(Flatten, keras.layers.Flatten)
        ('keras.layers', True)
        >>> _ = keras.saving.get_custom_objects().pop("Flatten")
    """
    found: Any = layer
    found.__module__ = keras.layers.__name__
    if backend in (None, keras.backend.backend()):
        keras.saving.get_custom_objects()[layer.__name__] = layer
    return layer
