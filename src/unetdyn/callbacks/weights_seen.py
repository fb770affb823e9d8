"""Some of a model's weights, by which to know all of them again."""

import math

import keras

LOOKED_AT = 8  # of the smallest variables: whoever exchanges weights exchanges these too, and they are nothing to fetch


def weights_seen(model: keras.Model | None) -> list[bytes] | None:
    """The smallest variables that are trained, as bytes; None where there are none, or they can't be read.

    Args:
        model: Built or not; None where nobody told.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> before = weights_seen(model)
        >>> model.set_weights([2 * weight + 1 for weight in model.get_weights()])
        >>> before == weights_seen(model)
        False
    """
    try:
        variables = sorted(getattr(model, "trainable_variables", []), key=lambda variable: math.prod(variable.shape))[
            :LOOKED_AT
        ]
        return [keras.ops.convert_to_numpy(variable).tobytes() for variable in variables] or None
    except Exception:  # whatever a backend says of a variable that it can't fetch
        return None
