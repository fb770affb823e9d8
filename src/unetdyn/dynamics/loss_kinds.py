"""What a compiled loss expects: masks as targets, probabilities as outputs."""

from typing import Any

import keras

_OF_MASKS = (
    *(
        "binarycrossentropy",
        "bce",
        "binaryfocalcrossentropy",
        "categoricalcrossentropy",
        "categoricalfocalcrossentropy",
    ),
    *("dice", "tversky", "binaryfocalloss", "softjaccardloss"),
)
_OF_REGIONS = (  # ours, of masks or, with several channels, of class numbers
    *("diceloss", "tverskyloss", "focaltverskyloss", "bcediceloss"),
    *("lovaszsoftmaxloss", "lovaszhingeloss"),
)
_OF_CLASSES = ("sparsecategoricalcrossentropy",)
_SQUARED = ("mse", "meansquarederror")


def expects_masks(model: keras.Model) -> bool:
    """Whether the targets of the model's one loss are 0 and 1.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    >>> expects_masks(model), expects_probabilities(model), is_squared_error(model)
    (True, False, False)
    """
    return _name(model) in _OF_MASKS or (_name(model) in _OF_REGIONS and _channels(model) == 1)


def expects_probabilities(model: keras.Model) -> bool:
    """Whether the model's one loss is known to take outputs from 0 to 1."""
    return _name(model) in _OF_MASKS + _OF_REGIONS + _OF_CLASSES and not expects_logits(model)


def expects_logits(model: keras.Model) -> bool:
    """Whether the model's loss says that it takes logits; of a list of losses, for several outputs, the first."""
    loss = getattr(model, "loss", None)
    loss = loss[0] if isinstance(loss, list | tuple) and loss else loss
    try:  # a loss of the user's own may have no configuration
        config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    except Exception:
        config = {}
    return bool(getattr(loss, "from_logits", config.get("from_logits", False)))


def is_squared_error(model: keras.Model) -> bool:
    """Whether the model's one loss is the mean squared error."""
    return _name(model) in _SQUARED


def _channels(model: keras.Model) -> int | None:
    """Of the model's one output; None where that is not known."""
    shape = getattr(model, "output_shape", None)
    return shape[-1] if isinstance(shape, tuple) and isinstance(shape[-1], int) else None


def _name(model: keras.Model) -> str:
    loss: Any = getattr(model, "loss", None)
    if not isinstance(loss, str):
        loss = getattr(loss, "__name__", type(loss).__name__)
    return loss.replace("_", "").lower()
