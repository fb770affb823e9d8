"""The U-shape itself: encoder, bottleneck, decoder and head, put together from blocks and gates."""

from collections.abc import Callable
from typing import Any

import keras

from unetdyn.models.blocks import convolve, pool, upsample_like
from unetdyn.models.bnsreenu import refuse_contradictions, tutorial_gate, tutorial_head
from unetdyn.models.gates import additive_gate, oktay_gate
from unetdyn.models.options import Options

Block = Callable[[Any, int, Options, str], Any]
Gate = Callable[[Any, Any, Any, Options, str], Any]


def _gate(options: Options) -> Gate:
    if options.tutorial:
        return tutorial_gate
    return {"oktay": oktay_gate, "additive": additive_gate}[options.gate]


def assemble(options: Options, block: Block, name: str, gated: bool = False) -> keras.Model:
    """The U-Net whose blocks are `block`, with gates on its skips where `gated`."""
    if options.tutorial:
        refuse_contradictions(options)
    inputs = keras.Input(options.input_shape, name="input")
    x, skips = inputs, []
    for level in range(1, options.depth + 1):
        skips.append(block(x, options.level_filters(level), options, f"enc{level}"))
        x = pool(skips[-1], options, f"enc{level}")
    x = block(x, options.level_filters(options.depth + 1), options, "bottleneck")
    for level in range(options.depth, 0, -1):
        skip = skips[level - 1]
        upsampled = upsample_like(x, skip, options, f"dec{level}")
        if gated:
            skip = _gate(options)(skip, x, upsampled, options, f"gate{level}")
        x = keras.layers.Concatenate(name=f"dec{level}_concat")([upsampled, skip])
        x = block(x, options.level_filters(level), options, f"dec{level}")
    return keras.Model(inputs, _head(x, options), name=name)


def _head(x: Any, options: Options) -> Any:
    # float32 whatever the policy: near 0 and 1 half precision has no room left for a loss to see a difference.
    dtype = None if options.tutorial else "float32"
    if options.tutorial:
        x = tutorial_head(x, options)
    else:
        x = convolve(x, options.classes, 1, options, "head_conv", leads_to="sigmoid", dtype=dtype)
    if options.output == "logits":
        return x
    activation = "sigmoid" if options.classes == 1 else "softmax"
    return keras.layers.Activation(activation, dtype=dtype, name="head_act")(x)
