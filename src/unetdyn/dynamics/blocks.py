"""Which block of the network each variable belongs to."""

import re
from collections.abc import Iterator, Sequence

import keras

_CONTRACT = re.compile(r"(enc|dec|gate|head)([1-9]\d*)_|(bottleneck|head)_")


def blocks(model: keras.Model, variables: Sequence[keras.Variable] | None = None) -> dict[str, list[int]]:
    """The blocks of a model, in the order of the network, and the variables of each.

    U-Nets whose layers are named after their block, as our builders' are, have the blocks `enc1`, `enc2`, ...,
    `bottleneck`, ..., `gate1`, `dec1`, `head`: a layer's name starts with its block's and an underscore. An encoder of
    one's own, with names of its own, is told apart by the features that it gives: a layer belongs to the first level
    whose features need it, so that `enc2` ends where stride 2 does. Any other
    model has a block for each of its layers, under the layer's name; a model nested in it is one layer, unless it is
    a U-Net with named blocks or alone has all the weights: then its own blocks count. Two nested U-Nets are told
    apart by prefixes: `first/enc1`, `second/enc1`.

    Args:
        model: A built Keras model.
        variables: What the numbers refer to; by default `model.trainable_variables`. For the columns of an
            `OptimizerTap`, its `variables`.

    Returns:
        Block name → indices into `variables`, ascending. Every variable is in exactly one block; what no layer owns
        is in one named after the model.

    Raises:
        ValueError: If the model has not been built.

    Example:
        >>> inputs = keras.Input((8, 8, 1))
        >>> x = keras.layers.Conv2D(2, 3, padding="same", name="enc1_conv1")(inputs)
        >>> x = keras.layers.Conv2D(2, 3, padding="same", name="bottleneck_conv1")(x)
        >>> x = keras.layers.Conv2D(1, 1, name="head_conv")(x)
        >>> blocks(keras.Model(inputs, x))
        {'enc1': [0, 1], 'bottleneck': [2, 3], 'head': [4, 5]}
    """
    _check_built(model)
    variables = model.trainable_variables if variables is None else variables
    places = {id(variable): place for place, variable in enumerate(variables)}
    found: dict[str, list[int]] = {}
    for name, layer in _named_layers(model):
        own = [places.pop(id(variable)) for variable in layer.variables if id(variable) in places]
        if own:
            found.setdefault(name, []).extend(own)
    if places:
        found.setdefault(model.name, []).extend(places.values())
    return {name: sorted(own) for name, own in found.items()}


def layers_by_block(model: keras.Model) -> dict[str, list[keras.Layer]]:
    """The layers with weights of each block, in the order of the network; blocks as of `blocks`, frozen or not.

    Args:
        model: A built Keras model.

    Returns:
        Block name → layers.

    Raises:
        ValueError: If the model has not been built.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, name="first"), keras.layers.ReLU()])
        >>> {block: [layer.name for layer in layers] for block, layers in layers_by_block(model).items()}
        {'first': ['first']}
    """
    _check_built(model)
    found: dict[str, list[keras.Layer]] = {}
    for name, layer in _named_layers(model):
        found.setdefault(name, []).append(layer)
    return found


def _check_built(model: keras.Model) -> None:
    if not model.built:
        raise ValueError(
            "`model` must be built before its variables can be told apart: call it on a batch. "
            f"Received: model={model!r}"
        )


def _named_layers(model: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """Each layer that is wholly in one block, with the block's name."""
    weighted = [layer for layer in model.layers if layer.variables]
    if _follows_contract(model):
        yield from sorted(_contract_layers(weighted), key=lambda pair: _rank(pair[0]))
    elif len(weighted) == 1 and _is_model(weighted[0]):
        yield from _named_layers(weighted[0])
    else:
        nested = [layer for layer in weighted if _is_model(layer) and _follows_contract(layer)]
        for layer in weighted:
            if any(layer is unet for unet in nested):
                prefix = f"{layer.name}/" if len(nested) > 1 else ""
                yield from ((prefix + name, part) for name, part in _named_layers(layer))
            else:
                yield layer.name, layer


def _is_model(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model)


def _follows_contract(model: keras.Model) -> bool:
    """A first encoder level and a bottleneck, or an encoder: one name such as `head_dense` does not make a U-Net."""
    return {"enc1", "bottleneck"} <= {_block_of(layer) for layer in model.layers} or any(map(_is_encoder, model.layers))


def _is_encoder(layer: keras.Layer) -> bool:
    """A model that gives features under the names of their blocks, as our builders make it of a user's encoder."""
    made = layer.output if _is_model(layer) and hasattr(layer, "operations") else None
    return isinstance(made, dict) and "bottleneck" in made and all(_CONTRACT.fullmatch(f"{name}_") for name in made)


def _contract_layers(layers: Sequence[keras.Layer]) -> Iterator[tuple[str, keras.Layer]]:
    for layer in layers:
        if _is_encoder(layer):
            yield from _encoder_layers(layer)
        else:
            yield _block_of(layer), layer


def _encoder_layers(encoder: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """Each with the first of the encoder's outputs, from the finest to the bottleneck, that needs it."""
    needed_by: dict[int, str] = {}
    seen = set()
    for block, features in sorted(encoder.output.items(), key=lambda pair: _rank(pair[0])):
        waiting = [features]
        while waiting:
            operation, call, _ = waiting.pop()._keras_history
            if (id(operation), call) not in seen:
                seen.add((id(operation), call))
                needed_by.setdefault(id(operation), block)
                waiting.extend(operation._inbound_nodes[call].input_tensors)
    yield from ((needed_by[id(layer)], layer) for layer in encoder.layers if layer.variables)


def _block_of(layer: keras.Layer) -> str:
    match = _CONTRACT.match(layer.name)
    return match[0][:-1] if match else layer.name


def _rank(block: str) -> tuple[int, int, bool]:
    """Sorts a U-Net's blocks as data flows through them; others stay after them, in the order they came in."""
    match = _CONTRACT.fullmatch(block + "_")
    if match is None:
        return 4, 0, False
    kind, level = match[1] or match[3], int(match[2] or 0)
    stage = {"enc": 0, "bottleneck": 1, "gate": 2, "dec": 2, "head": 3}[kind]
    return stage, level if kind == "enc" else -level, kind == "dec"
