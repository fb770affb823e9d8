"""The builders with attention gates: Attention U-Net and Attention Residual U-Net, in 2D and 3D."""

from collections.abc import Callable, Sequence

import keras

from unetdyn.models.assembly import assemble
from unetdyn.models.encoders import Taps
from unetdyn.models.options import Options


def AttentionUNet(
    input_shape: Sequence[int | None],
    classes: int = 1,
    filters: int = 64,
    depth: int | None = None,
    *,
    norm: str | None = "batch",
    norm_momentum: float | None = None,
    activation: str | Callable = "relu",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    upsample: str = "nearest",
    gate: str = "oktay",
    output: str = "probabilities",
    deep_supervision: bool | int = False,
    encoder: keras.Model | None = None,
    encoder_taps: Taps | None = None,
    encoder_trainable: bool = True,
    variant: str = "default",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """U-Net with an attention gate on every skip connection: skip ← α · skip, with a map α in [0, 1] per pixel.

    The map of gate k is the output of the layer `gate<k>_attention`; `attention_model` returns the maps at the
    resolution of their skips. The paper leaves the first skip without a gate; here each skip has one.

    Args:
        input_shape: As for `UNet`, and so are all arguments but `gate`.
        classes: Channels of the output. Default 1.
        filters: Channels of the first level. Default 64.
        depth: How often the resolution is halved. None: 4, or as often as `encoder` does.
        norm: `"batch"` (default), `"group"`, `"instance"`, `"layer"` or None.
        norm_momentum: Momentum of batch norm's moving statistics. None is 0.9, for the reason that `UNet` gives.
        activation: A name from `keras.activations` or a function. Default `"relu"`.
        dropout: Rate in [0, 1) at each block's end. Default 0.
        l1: λ of a penalty λ Σ|w| on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        l2: λ of a penalty λ Σ w² on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        upsample: `"nearest"` (default), `"linear"` or `"transpose"`.
        gate: `"oktay"`, the paper's and the default: the map is computed on the grid of the next coarser level, at a
            quarter of the cost in 2D, and interpolated linearly. `"additive"`: on the skip's own grid from the
            upsampled features, with half the channels and a norm on either side, as popular PyTorch code has it.
        output: `"probabilities"` (default) or `"logits"`.
        deep_supervision: True, or a number of outputs: a list of them, full resolution first. Default False.
        encoder: A Keras model whose features take the encoder's place. Default None.
        encoder_taps: Stride → layer name or tensor of `encoder`. None: found.
        encoder_trainable: False freezes `encoder`. Default True.
        variant: `"default"` or `"bnsreenu"`. `UNet` lists the differences.
        seed: Whole number that fixes initial weights and dropout. None: Keras' global seed.
        name: The model's name. None: `"attention_unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`; with
        `deep_supervision` to a list.

    Raises:
        ValueError: As for `UNet`, and if `gate` is unknown.

    Example:
        >>> from unetdyn.models import AttentionUNet
        >>> model = AttentionUNet((32, 32, 1), filters=2, depth=2, seed=0)
        >>> model.output_shape, model.get_layer("gate1_attention").output.shape
        ((None, 32, 32, 1), (None, 16, 16, 1))

    Reference:
        Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas", 2018, arXiv:1804.03999.
        For `gate="additive"`: https://github.com/LeeJunHyun/Image_Segmentation, 2018.
    """
    return assemble(Options.of(**locals()), "attention_unet", gated=True)


def AttentionResUNet(
    input_shape: Sequence[int | None],
    classes: int = 1,
    filters: int = 64,
    depth: int | None = None,
    *,
    norm: str | None = "batch",
    norm_momentum: float | None = None,
    activation: str | Callable = "relu",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    upsample: str = "nearest",
    gate: str = "oktay",
    output: str = "probabilities",
    deep_supervision: bool | int = False,
    encoder: keras.Model | None = None,
    encoder_taps: Taps | None = None,
    encoder_trainable: bool = True,
    variant: str = "default",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Attention U-Net with residual blocks: y = act(F(x) + S(x)).

    F is 3×3 convolution, norm, activation, 3×3 convolution, norm (and dropout); S, the shortcut, a 1×1 convolution
    and norm, because a block changes the number of channels. The activation follows the sum, as in the first
    residual networks (He et al., 2016); ResUNet (Zhang et al., 2018) puts it before the convolutions.

    Args:
        input_shape: As for `AttentionUNet`, and so are all arguments.
        classes: Channels of the output. Default 1.
        filters: Channels of the first level. Default 64.
        depth: How often the resolution is halved. None: 4, or as often as `encoder` does.
        norm: `"batch"` (default), `"group"`, `"instance"`, `"layer"` or None.
        norm_momentum: Momentum of batch norm's moving statistics. None is 0.9, for the reason that `UNet` gives.
        activation: A name from `keras.activations` or a function. Default `"relu"`.
        dropout: Rate in [0, 1), on F before the sum. Default 0.
        l1: λ of a penalty λ Σ|w| on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        l2: λ of a penalty λ Σ w² on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        upsample: `"nearest"` (default), `"linear"` or `"transpose"`.
        gate: `"oktay"` (default) or `"additive"`.
        output: `"probabilities"` (default) or `"logits"`.
        deep_supervision: True, or a number of outputs: a list of them, full resolution first. Default False.
        encoder: A Keras model whose features take the encoder's place. Default None.
        encoder_taps: Stride → layer name or tensor of `encoder`. None: found.
        encoder_trainable: False freezes `encoder`. Default True.
        variant: `"default"` or `"bnsreenu"`. `UNet` lists the differences.
        seed: Whole number that fixes initial weights and dropout. None: Keras' global seed.
        name: The model's name. None: `"attention_res_unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`; with
        `deep_supervision` to a list.

    Raises:
        ValueError: As for `AttentionUNet`.

    Example:
        >>> from unetdyn.models import AttentionResUNet
        >>> model = AttentionResUNet((32, 32, 1), filters=2, depth=2, output="logits", seed=0)
        >>> model.name, model.output_shape
        ('attention_res_unet', (None, 32, 32, 1))

    Reference:
        He et al., "Deep Residual Learning for Image Recognition", 2016, arXiv:1512.03385. Zhang, Liu and Wang, "Road
        Extraction by Deep Residual U-Net", 2018, arXiv:1711.10684. Oktay et al., 2018, arXiv:1804.03999.
    """
    return assemble(Options.of(blocks="residual", **locals()), "attention_res_unet", gated=True)
