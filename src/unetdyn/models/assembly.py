"""The U-shape itself: encoder, bottleneck, decoder and heads, put together from blocks and gates."""

from collections.abc import Callable
from typing import Any

import keras

from unetdyn.models.blocks import conv_block, convolve, crop_like, pool, residual_block, upsample_like
from unetdyn.models.bnsreenu import refuse_contradictions, tutorial_gate, tutorial_head
from unetdyn.models.encoders import Encoder, encoder_features
from unetdyn.models.gates import additive_gate, oktay_gate
from unetdyn.models.options import Options

Block = Callable[[Any, int, Options, str], Any]
Gate = Callable[[Any, Any, Any, Options, str], Any]


def _gate(options: Options) -> Gate:
    if options.tutorial:
        return tutorial_gate
    return {"oktay": oktay_gate, "additive": additive_gate}[options.gate]


def _encoder_block(options: Options) -> Block:
    return conv_block if options.blocks == "plain" else residual_block


def _decoder_block(options: Options) -> Block:
    return residual_block if options.blocks == "residual" else conv_block


def assemble(options: Options, name: str, gated: bool = False) -> keras.Model:
    """The U-Net that the options describe, of that name unless they have one, with gates on its skips where `gated`."""
    if options.tutorial:
        refuse_contradictions(options, gated)
    inputs = keras.Input(options.input_shape, name="input")
    rows = _encode(inputs, options) if options.encoder is None else _features(inputs, options.encoder)
    for column in range(1, options.depth + 1):
        last = options.depth + 1 - column  # the level on the U itself; nested skips fill the triangle under it
        for level in range(1, last) if options.nested else ():
            if rows[level]:
                _decode(rows, level, options, f"dec{level}_{column}", gated)
        _decode(rows, last, options, f"dec{last}", gated)
    outputs = _heads(rows, inputs, options)
    return keras.Model(inputs, outputs if options.deep_supervision else outputs[0], name=options.name or name)


def _encode(inputs: Any, options: Options) -> dict[int, list]:
    """The features of each level, first in its row; the bottleneck is a level of its own."""
    block, x, rows = _encoder_block(options), inputs, {}
    for level in range(1, options.depth + 1):
        x = block(x, options.level_filters(level), options, f"enc{level}")
        rows[level] = [x]
        x = pool(x, options, f"enc{level}")
    rows[options.depth + 1] = [block(x, options.level_filters(options.depth + 1), options, "bottleneck")]
    return rows


def _features(inputs: Any, encoder: Encoder) -> dict[int, list]:
    """As `_encode`, of the encoder that was given; levels finer than its first have none."""
    found = encoder_features(encoder, inputs)
    return {level: [found[level]] if level in found else [] for level in range(1, encoder.depth + 2)}


def _decode(rows: dict[int, list], level: int, options: Options, block: str, gated: bool) -> None:
    """Append to the row of a level the node that joins it with the level below."""
    below, skips = rows[level + 1][-1], rows[level]
    x = upsample_like(below, skips[0] if skips else None, options, block)
    if gated:
        skips = [_gate(options)(skip, below, x, options, f"gate{level}") for skip in skips]
    if skips:
        x = keras.layers.Concatenate(name=f"{block}_concat")([x, *skips])
    rows[level].append(_decoder_block(options)(x, options.level_filters(level), options, block))


def _heads(rows: dict[int, list], inputs: Any, options: Options) -> list:
    """The outputs: of the nodes of level 1 with nested skips, the deepest first; else of the last of each level."""
    nodes = rows[1][::-1] if options.nested else [rows[level][-1] for level in range(1, options.depth + 1)]
    outputs: list[Any] = []
    for block, x in zip(options.heads, nodes, strict=False):
        if options.encoder is not None and (options.nested or not outputs):
            x = crop_like(x, inputs, block)  # the encoder may have seen a padded image
        outputs.append(_head(x, options, block))
    return outputs


def _head(x: Any, options: Options, block: str) -> Any:
    # float32 whatever the policy: near 0 and 1 half precision has no room left for a loss to see a difference.
    dtype = None if options.tutorial else "float32"
    if options.tutorial:
        x = tutorial_head(x, options)
    else:
        x = convolve(x, options.classes, 1, options, f"{block}_conv", leads_to="sigmoid", dtype=dtype)
    if options.output == "logits":
        return x
    activation = "sigmoid" if options.classes == 1 else "softmax"
    return keras.layers.Activation(activation, dtype=dtype, name=f"{block}_act")(x)
