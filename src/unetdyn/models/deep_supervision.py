"""From a model with an output for each level to one that predicts."""

import keras


def without_deep_supervision(model: keras.Model) -> keras.Model:
    """The model that answers with the first output alone, which has full resolution.

    It shares the weights of `model`, and leaves out the other heads; with nested skips no node is left out, since the
    first output needs them all.

    Args:
        model: Made with `deep_supervision`, also after loading it from a file.

    Returns:
        A `keras.Model` from the input of `model` to its first output, not compiled; of the same name.

    Raises:
        ValueError: If the model has one output.

    Example:
        >>> from unetdyn.models import UNet
        >>> model = UNet((32, 32, 1), filters=2, depth=2, deep_supervision=True, seed=0)
        >>> [output.shape for output in model.outputs]
        [(None, 32, 32, 1), (None, 16, 16, 1)]
        >>> without_deep_supervision(model).output_shape
        (None, 32, 32, 1)
    """
    if len(model.outputs) < 2:
        raise ValueError(
            "`model` must have several outputs, as builders make it with `deep_supervision`. "
            f"Received: model={model.name!r}, with one: it predicts as it is."
        )
    return keras.Model(model.input, model.outputs[0], name=model.name)
