"""The builder of U-Nets without gates, in 2D and 3D; its documentation is that of all builders' arguments."""

from collections.abc import Callable, Sequence

import keras

from unetdyn.models.assembly import assemble
from unetdyn.models.encoders import Taps
from unetdyn.models.options import Options


def UNet(
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
    blocks: str = "plain",
    skips: str = "plain",
    output: str = "probabilities",
    deep_supervision: bool | int = False,
    encoder: keras.Model | None = None,
    encoder_taps: Taps | None = None,
    encoder_trainable: bool = True,
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
        depth: How often the resolution is halved. None: 4, which is the paper's; with an `encoder` as often as that
            does, and a smaller one leaves its coarsest features out.
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
        blocks: `"plain"` (default): two convolutions. `"residual"`: the sum of two convolutions and a 1×1 shortcut, as
            in `AttentionResUNet`. `"residual_encoder"`: residual on the way down and in the bottleneck, plain on the
            way up, where the skips are shortcuts already.
        skips: `"plain"` (default), or `"nested"`: UNet++. Node j of level k, counted from its encoder block, gets all
            nodes before it in its row and the upsampled node j - 1 of level k + 1. The nodes between encoder and U
            are named `dec<k>_<j>_...` and belong to the block `dec<k>`.
        output: `"probabilities"` (default): sigmoid for one class, softmax over the channels for more. `"logits"`:
            what goes into these; take it for losses with `from_logits=True` and for labels that overlap. Either is
            computed in float32, also under mixed precision.
        deep_supervision: True: an output for each level of the decoder, as a list: full resolution first, then 1/2,
            1/4, ..., from the layers `head_...`, `head2_...`, ...; a number: so many, from 2 to `depth`. With nested
            skips, as in that paper, outputs of the nodes of level 1, the deepest first, all at full resolution. Known
            sizes must be multiples of 2^depth. Train with a label for each output, measure the first, and predict
            with `without_deep_supervision(model)`. Default False: one output, no list.
        encoder: A functional Keras model whose features take the encoder's place, such as one of
            `keras.applications` with `include_top=False`, or a backbone of KerasHub. It becomes the layer `encoder`
            and keeps the names of its layers; `filters`, `blocks` and the like are then the decoder's (16 filters are
            usual there). It shares its weights with your model. Images of one channel are repeated to its channels,
            and sizes that 2^depth doesn't divide are padded at the far end, by repeating the last pixel, and cropped
            again. Images must be prepared as its weights expect: see `preprocess_input` of the application's module.
            Default None.
        encoder_taps: Stride → layer name or tensor of `encoder`: of which features the skips are made, and, of the
            coarsest, the bottleneck. Strides are powers of two without a gap; the finest may be missing, and the
            decoder goes up from there without a skip. None: KerasHub's `pyramid_outputs`, else the last features of
            each stride.
        encoder_trainable: False: the encoder's weights stay as they are, and its batch norms use their moving
            statistics, also in training, until `model.get_layer("encoder").trainable = True` and a new `compile`. Your
            own model is frozen with it. Default True.
        variant: `"default"`, or `"bnsreenu"`: the tutorial models of that name, with exactly their parameters.
        seed: Whole number that fixes initial weights and dropout; each layer draws its own. None: Keras' global seed.
        name: The model's name. None: `"unet"`.

    Returns:
        A functional `keras.Model` from `(batch, *input_shape)` to `(batch, *input_shape[:-1], classes)`; with
        `deep_supervision` to a list.

    Raises:
        ValueError: If an argument is out of range or unknown, a known size is under 2^depth, an argument contradicts
            `variant="bnsreenu"`, or an encoder has a gap in its strides, other channels or another size.

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
        arXiv:1706.05350. Zhou et al., "UNet++: A Nested U-Net Architecture for Medical Image Segmentation", 2018,
        arXiv:1807.10165. Lee et al., "Deeply-Supervised Nets", 2015, arXiv:1409.5185. Odena et al., "Deconvolution and
        Checkerboard Artifacts", 2016, Distill.
    """
    return assemble(Options.of(**locals()), "unet")
