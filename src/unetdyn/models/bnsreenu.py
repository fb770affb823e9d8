"""What the widely copied tutorial models do differently: `variant="bnsreenu"`.

S. Bhattiprolu, "python_for_microscopists", tutorials 224 to 226, 2021: U-Net, Attention U-Net and Attention Residual
U-Net (https://github.com/bnsreenu/python_for_microscopists). Reproduced to the parameter, to compare with published
results. `UNet` lists what the default variant corrects.
"""

from typing import Any

import keras

from unetdyn.models.blocks import activate, convolve, crop_like, initializer, layer_class, normalise, resample
from unetdyn.models.gates import attention
from unetdyn.models.options import Options

FIXED = {
    "encoder": None,
    "depth": 4,
    "norm": "batch",
    "activation": "relu",
    "upsample": "nearest",
    "gate": "oktay",
    "l1": 0.0,
    "l2": 0.0,
    "skips": "plain",
    "deep_supervision": False,
}


def refuse_contradictions(options: Options, gated: bool) -> None:
    """Raise where an argument asks for what the tutorial's models do not have; without gates, that's plain blocks."""
    fixed = FIXED if gated else FIXED | {"blocks": "plain"}
    for argument, value in fixed.items():
        received = getattr(options, argument)
        if received != value:
            raise ValueError(
                f"`variant='bnsreenu'` reproduces the tutorial's models, which have {argument}={value!r}. "
                f"Received: {argument}={received!r}. Leave {argument} out, or use variant='default'."
            )


def tutorial_gate(skip: Any, coarse: Any, _upsampled: Any, options: Options, block: str) -> Any:
    """The tutorial's gate: a gating signal, a 3×3 transposed convolution, nearest ×2, and 1×1–BN on the product."""
    filters = skip.shape[-1]
    signal = convolve(coarse, filters, 1, options, f"{block}_signal_conv")
    signal = normalise(signal, options, f"{block}_signal_norm")
    signal = activate(signal, options, f"{block}_signal_act")
    theta = convolve(skip, filters, 2, options, f"{block}_theta", strides=2)
    phi = convolve(signal, filters, 1, options, f"{block}_phi")
    name = f"{block}_phi_transpose"
    transpose = layer_class("Conv{}DTranspose", options)
    phi = transpose(
        filters,
        3,
        padding="same",
        data_format="channels_last",
        kernel_initializer=initializer("sum", options, name),
        name=name,
    )(phi)
    alpha = attention(theta, phi, options, block)
    alpha = crop_like(resample(alpha, options, f"{block}_up"), skip, block)
    # The tutorial repeats the map over the channels, which is what broadcasting does.
    product = keras.layers.Multiply(name=f"{block}_multiply")([alpha, skip])
    product = convolve(product, filters, 1, options, f"{block}_conv")
    return normalise(product, options, f"{block}_norm")


def tutorial_head(x: Any, options: Options) -> Any:
    """The tutorial's logits: a 1×1 convolution and its batch norm, in the dtype of the global policy."""
    x = convolve(x, options.classes, 1, options, "head_conv")
    return normalise(x, options, "head_norm")
