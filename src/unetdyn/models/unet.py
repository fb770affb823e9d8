"""The builders: U-Net, Attention U-Net and Attention Residual U-Net, in 2D and 3D."""

from collections.abc import Callable, Sequence

import keras

from unetdyn.models.assembly import assemble
from unetdyn.models.blocks import conv_block, residual_block
from unetdyn.models.options import Options


def UNet(
    input_shape: Sequence[int | None],
    classes: int = 1,
    filters: int = 64,
    depth: int = 4,
    *,
    norm: str | None = "batch",
    norm_momentum: float | None = None,
    activation: str | Callable = "relu",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    upsample: str = "nearest",
    output: str = "probabilities",
    variant: str = "default",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """U-Net, in 2D or 3D by the rank of `input_shape`: an encoder and a decoder, joined by skip connections.

    Level k = 1 ... depth has `filters * 2**(k - 1)` channels at 1/2^(k-1) of the resolution; the bottleneck doubles
    and halves once more. A block is (3×3 convolution, norm, activation) twice. Layers are named after their block:
    `enc1_conv1`, `bottleneck_norm2`, `dec1_up`, `head_conv`; the names are a contract.

    Any image of at least 2^depth pixels a side works: a level of odd size is pooled to half, rounded up, and after
    upsampling cropped to its skip. Nothing is padded, and where sizes divide nothing is cropped.

    Args:
        input_shape: `(height, width, channels)` or `(depth, height, width, channels)`; None for a size that varies.
        classes: Channels of the output. 1, the default, is foreground against background.
        filters: Channels of the first level. 64 is the paper's; 16 has a sixteenth of the weights and is enough for
            a first look.
        depth: How often the resolution is halved. 4 is the paper's.
        norm: After each convolution: `"batch"`; `"group"` (8 groups, fewer where 8 does not divide the channels) and
            `"instance"`, which suit batches of one or two; `"layer"` (over the channels of each pixel, as ConvNeXt
            has it); None. `"batch"` is the default because the models compared with use it. With a norm,
            convolutions have no bias, since the norm cancels or replaces it.
        norm_momentum: Momentum of batch norm's moving statistics, between 0 and 1; other norms ignore it. None is 0.9
            (0.99 in `variant="bnsreenu"`). Not Keras' 0.99, because with few steps an epoch the statistics that
            validation uses lag behind the weights. Measured on 208 tiles of electron microscopy (128×128, batch 8:
            26 steps an epoch; Adam 1e-3, focal loss γ = 2, 16 filters): with 0.99 the validation Jaccard stayed
            under 0.06 for ten epochs while the training Jaccard reached 0.78, then swung between 0.24 and 0.67;
            with 0.9 it was 0.50 after five epochs and 0.68 after eight.
        activation: A name from `keras.activations` or a function. Default `"relu"`, for which the kernels'
            initialiser (He normal) is derived.
        dropout: Rate in [0, 1) at each block's end. Default 0: none, and no layer.
        l1: λ ≥ 0 of a penalty λ Σ|w| on each kernel, not on biases, scales and offsets. Default 0: none. Keras adds
            penalties to the loss, so `loss` and `val_loss` hold them: compare metrics, not losses, with a run that
            has another λ. The gradients that monitors measure hold theirs too.
        l2: λ ≥ 0 of a penalty λ Σ w², in the same way; where a text writes λ/2 · Σ w², its λ is twice this one. Default
            0. It is no weight decay, because Adam divides by the gradient's size; for that see
            `unetdyn.optimizers.weight_decay_groups`. Before a norm, which doesn't feel a kernel's scale, L2 changes
            only how large the steps are.
        upsample: `"nearest"` (default: no weights, no checkerboard, cheap), `"linear"` (bilinear or trilinear,
            half-pixel centres), or `"transpose"` (the paper's: a 2×2 transposed convolution of stride 2 that halves
            the channels). The first two have no convolution and keep the channels, which the next block then halves.
        output: `"probabilities"` (default): sigmoid for one class, softmax over the channels for more. `"logits"`:
            what goes into these; take it for losses with `from_logits=True` and for labels that overlap. Either is
            computed in float32, also under mixed precision.
        variant: `"default"`, or `"bnsreenu"`: the tutorial models of that name, with exactly their parameters.
        seed: Whole number that fixes initial weights and dropout; each layer draws its own. None: Keras' global seed.
        name: The model's name. None: `"unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`.

    Raises:
        ValueError: If an argument is out of range or unknown, a known size is under 2^depth, or an argument
            contradicts `variant="bnsreenu"`.

    The default variant corrects the tutorial's models, `variant="bnsreenu"`, in these points:

    - The head is a convolution. The tutorial normalises the logits with batch norm, which ties a pixel's probability
      to the batch in training and to moving statistics afterwards.
    - The head computes in float32 under mixed precision; the tutorial's follows the policy.
    - Depth, norm, activation and upsampling can be chosen. Sizes that 16 does not divide work in both variants; the
      tutorial itself fails there.
    - Batch norm's momentum is 0.9, not 0.99.
    - Convolutions before a norm have no bias.
    - Kernels start He normal (He et al., 2015), with half the variance where two convolutions are summed. The
      tutorial's start Glorot uniform, which is derived for linear units; here only those before a sigmoid do.
    - The gate is Oktay's: the coarse features enter it directly (no 1×1 convolution, norm and ReLU before), there is
      no 3×3 transposed convolution of stride 1, the strided convolution has no bias, the map is interpolated linearly
      instead of repeated, and the gated skip goes on as it is (no 1×1 convolution and norm after).

    Example:
        >>> from unetdyn.models import UNet
        >>> UNet((50, 70, 1), filters=2, depth=2, seed=0).output_shape
        (None, 50, 70, 1)
        >>> UNet((None, None, None, 2), classes=3, filters=2, depth=2, norm="group").output_shape
        (None, None, None, None, 3)

    Reference:
        Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015,
        arXiv:1505.04597. `UNet(shape, classes=2, norm=None, upsample="transpose")` is its network, with `same` padding.
        Çiçek et al., "3D U-Net", 2016, arXiv:1606.06650. He et al., "Delving Deep into Rectifiers", 2015,
        arXiv:1502.01852. Wu and He, "Group Normalization", 2018, arXiv:1803.08494. Liu et al., "A ConvNet for
        the 2020s", 2022, arXiv:2201.03545. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019,
        arXiv:1711.05101. van Laarhoven, "L2 Regularization versus Batch and Weight Normalization", 2017,
        arXiv:1706.05350. Odena et al., "Deconvolution and Checkerboard Artifacts", 2016, Distill.
    """
    options = Options(
        input_shape=input_shape,  # type: ignore[arg-type]  # checked there
        classes=classes,
        filters=filters,
        depth=depth,
        norm=norm,
        norm_momentum=norm_momentum,
        activation=activation,
        dropout=dropout,
        l1=l1,
        l2=l2,
        upsample=upsample,
        output=output,
        variant=variant,
        seed=seed,
    )
    return assemble(options, conv_block, name or "unet")


def AttentionUNet(
    input_shape: Sequence[int | None],
    classes: int = 1,
    filters: int = 64,
    depth: int = 4,
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
        depth: How often the resolution is halved. Default 4.
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
        variant: `"default"` or `"bnsreenu"`. `UNet` lists the differences.
        seed: Whole number that fixes initial weights and dropout. None: Keras' global seed.
        name: The model's name. None: `"attention_unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`.

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
    options = Options(
        input_shape=input_shape,  # type: ignore[arg-type]  # checked there
        classes=classes,
        filters=filters,
        depth=depth,
        norm=norm,
        norm_momentum=norm_momentum,
        activation=activation,
        dropout=dropout,
        l1=l1,
        l2=l2,
        upsample=upsample,
        gate=gate,
        output=output,
        variant=variant,
        seed=seed,
    )
    return assemble(options, conv_block, name or "attention_unet", gated=True)


def AttentionResUNet(
    input_shape: Sequence[int | None],
    classes: int = 1,
    filters: int = 64,
    depth: int = 4,
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
        depth: How often the resolution is halved. Default 4.
        norm: `"batch"` (default), `"group"`, `"instance"`, `"layer"` or None.
        norm_momentum: Momentum of batch norm's moving statistics. None is 0.9, for the reason that `UNet` gives.
        activation: A name from `keras.activations` or a function. Default `"relu"`.
        dropout: Rate in [0, 1), on F before the sum. Default 0.
        l1: λ of a penalty λ Σ|w| on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        l2: λ of a penalty λ Σ w² on each kernel. Default 0: none. It is in `loss` and `val_loss`.
        upsample: `"nearest"` (default), `"linear"` or `"transpose"`.
        gate: `"oktay"` (default) or `"additive"`.
        output: `"probabilities"` (default) or `"logits"`.
        variant: `"default"` or `"bnsreenu"`. `UNet` lists the differences.
        seed: Whole number that fixes initial weights and dropout. None: Keras' global seed.
        name: The model's name. None: `"attention_res_unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`.

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
    options = Options(
        input_shape=input_shape,  # type: ignore[arg-type]  # checked there
        classes=classes,
        filters=filters,
        depth=depth,
        norm=norm,
        norm_momentum=norm_momentum,
        activation=activation,
        dropout=dropout,
        l1=l1,
        l2=l2,
        upsample=upsample,
        gate=gate,
        output=output,
        variant=variant,
        seed=seed,
    )
    return assemble(options, residual_block, name or "attention_res_unet", gated=True)
