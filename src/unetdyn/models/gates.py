"""Attention gates on the skip connections, and the way to their maps.

A gate gets the skip of its level, the features of the next coarser level (the gating signal), and the same features
upsampled to the skip. It returns the skip, weighted pixel by pixel with a map in [0, 1].
"""

from typing import Any

import keras

from unetdyn.models.blocks import activate, convolve, crop_like, normalise
from unetdyn.models.layers import LinearUpsampling
from unetdyn.models.options import Options


def oktay_gate(skip: Any, coarse: Any, _upsampled: Any, options: Options, block: str) -> Any:
    """The additive grid attention of Oktay et al. (2018): computed on the coarse grid, interpolated to the skip.

    α = σ(ψᵀ ReLU(W_x x + W_g g + b_g) + b_ψ): W_x is a 2×2 convolution of stride 2 without bias, as in the authors'
    code (https://github.com/ozan-oktay/Attention-Gated-Networks), W_g and ψ are 1×1 convolutions; as many channels
    between them as the skip has. α is interpolated linearly and multiplied with the skip.
    """
    filters = skip.shape[-1]
    theta = convolve(skip, filters, 2, options, f"{block}_theta", leads_to="sum", strides=2, use_bias=False)
    phi = convolve(coarse, filters, 1, options, f"{block}_phi", leads_to="sum")
    alpha = attention(theta, phi, options, block)
    alpha = crop_like(LinearUpsampling(name=f"{block}_up")(alpha), skip, block)
    return keras.layers.Multiply(name=f"{block}_multiply")([alpha, skip])


def additive_gate(skip: Any, _coarse: Any, upsampled: Any, options: Options, block: str) -> Any:
    """Additive attention on the skip's own grid, as the popular PyTorch implementations compute it.

    α = σ(ψᵀ ReLU(norm(W_x x) + norm(W_g g)) + b_ψ) with 1×1 convolutions to half the skip's channels and g upsampled
    first, so that α needs no interpolation (https://github.com/LeeJunHyun/Image_Segmentation, 2018). That code
    also normalises the logit of α; here it is left as it is, since a norm would fix the map's mean and spread.
    """
    filters = max(1, skip.shape[-1] // 2)
    bias = options.use_bias
    theta = convolve(skip, filters, 1, options, f"{block}_theta", leads_to="sum", use_bias=bias)
    phi = convolve(upsampled, filters, 1, options, f"{block}_phi", leads_to="sum", use_bias=bias)
    theta = normalise(theta, options, f"{block}_theta_norm")
    phi = normalise(phi, options, f"{block}_phi_norm")
    alpha = attention(theta, phi, options, block)
    return keras.layers.Multiply(name=f"{block}_multiply")([alpha, skip])


def attention(theta: Any, phi: Any, options: Options, block: str) -> Any:
    """The map σ(ψᵀ act(θ + φ) + b): one channel in [0, 1], in the layer `<block>_attention`."""
    x = keras.layers.Add(name=f"{block}_add")([theta, phi])
    x = activate(x, options, f"{block}_act")
    x = convolve(x, 1, 1, options, f"{block}_psi", leads_to="sigmoid")
    return keras.layers.Activation("sigmoid", name=f"{block}_attention")(x)


def attention_model(model: keras.Model) -> keras.Model:
    """The model that answers with attention maps: from images to one map per gate, at the resolution of its skip.

    It shares the weights of `model`, so that the maps follow the training. The map before interpolation, on the grid
    where the gate computed it, is `model.get_layer("gate1_attention").output`.

    Args:
        model: A model of `AttentionUNet` or `AttentionResUNet`, of any variant, also after loading it from a file.

    Returns:
        A `keras.Model` from the input of `model`, `(batch, height, width, channels)`, to a dictionary
        `{"gate1": map, "gate2": map, ...}`. Maps have one channel and lie in [0, 1]; gate k has 1/2^(k-1) of the
        image's resolution.

    Raises:
        ValueError: If the model has no gates.

    Example:
        >>> import numpy as np
        >>> from unetdyn.models import AttentionUNet, attention_model
        >>> model = AttentionUNet((16, 16, 1), filters=2, depth=2, seed=0)
        >>> maps = attention_model(model)(np.zeros((1, 16, 16, 1), "float32"))
        >>> {gate: tuple(alpha.shape) for gate, alpha in sorted(maps.items())}
        {'gate1': (1, 16, 16, 1), 'gate2': (1, 8, 8, 1)}

    Reference:
        Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas", 2018, arXiv:1804.03999.
    """
    suffix = "_multiply"
    products = [layer for layer in model.layers if layer.name.startswith("gate") and layer.name.endswith(suffix)]
    if not products:
        raise ValueError(
            "`model` must be one of AttentionUNet or AttentionResUNet: it has no layer named `gate<k>_multiply`. "
            f"Received: model={model.name!r}."
        )
    maps = {layer.name.removesuffix(suffix): layer.input[0] for layer in products}
    return keras.Model(model.input, dict(sorted(maps.items())), name=f"{model.name}_attention")
