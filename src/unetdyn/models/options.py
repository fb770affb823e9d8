"""What a U-Net is built from: the checked arguments of the builders, in one frozen object."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import keras

from unetdyn._checks import check_choice, check_count, check_fraction, check_range, is_count, nearest
from unetdyn.models.encoders import Encoder, Taps, find_encoder

NORMS = ("batch", "group", "instance", "layer", None)
UPSAMPLINGS = ("nearest", "linear", "transpose")
GATES = ("oktay", "additive")
OUTPUTS = ("probabilities", "logits")
VARIANTS = ("default", "bnsreenu")
SKIPS = ("plain", "nested")
BLOCKS = ("plain", "residual", "residual_encoder")


@dataclass(frozen=True)
class Options:
    """The checked arguments of a builder; `UNet` documents each of them."""

    input_shape: tuple[int | None, ...]
    classes: int
    filters: int
    depth: int
    norm: str | None
    norm_momentum: float | None
    activation: str | Callable
    dropout: float
    upsample: str
    output: str
    variant: str
    seed: int | None
    gate: str = "oktay"
    l1: float = 0.0
    l2: float = 0.0
    blocks: str = "plain"
    skips: str = "plain"
    deep_supervision: bool | int = False
    encoder: Encoder | None = None
    name: str | None = None

    @classmethod
    def of(
        cls, *, encoder: Any, encoder_taps: Taps | None, encoder_trainable: bool, depth: Any, **arguments: Any
    ) -> "Options":
        """Of all arguments that a builder was given, in which an encoder is three."""
        found = None
        if encoder is not None:
            found = find_encoder(encoder, encoder_taps, encoder_trainable, depth)
        elif encoder_taps is not None or not encoder_trainable:
            argument = "encoder_taps" if encoder_taps is not None else "encoder_trainable"
            received = encoder_taps if encoder_taps is not None else encoder_trainable
            raise ValueError(
                f"`{argument}` says something of `encoder`, and there is none. Pass an encoder, or leave it out. "
                f"Received: {argument}={received!r}, encoder=None."
            )
        return cls(depth=depth, encoder=found, **arguments)

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", _checked_shape(self.input_shape))
        if self.depth is None:
            object.__setattr__(self, "depth", 4 if self.encoder is None else self.encoder.depth)
        for argument in ("classes", "filters", "depth"):
            check_count(argument, getattr(self, argument), least=1, unit="")
            object.__setattr__(self, argument, int(getattr(self, argument)))  # Keras saves no integer of NumPy
        if self.seed is not None:
            check_count("seed", self.seed, least=0, unit="", otherwise="or None")
            object.__setattr__(self, "seed", int(self.seed))
        check_choice("norm", self.norm, NORMS)
        check_choice("upsample", self.upsample, UPSAMPLINGS)
        check_choice("gate", self.gate, GATES)
        check_choice("output", self.output, OUTPUTS)
        check_choice("variant", self.variant, VARIANTS)
        check_choice("blocks", self.blocks, BLOCKS)
        check_choice("skips", self.skips, SKIPS)
        check_fraction("dropout", self.dropout, zero=True)
        for penalty in ("l1", "l2"):
            check_range(penalty, getattr(self, penalty), 0)
        if self.norm_momentum is not None:
            check_fraction("norm_momentum", self.norm_momentum, otherwise="or None for the variant's own")
        _check_activation(self.activation)
        _check_size(self.input_shape, self.depth, self.norm if self.encoder is None else None)
        _check_deep_supervision(self)
        if self.encoder is not None and self.blocks == "residual_encoder":
            raise ValueError(
                "`blocks='residual_encoder'` builds an encoder, and `encoder` is one already. Leave one of them out; "
                "`blocks='residual'` gives the decoder residual blocks. Received: blocks='residual_encoder'."
            )

    @property
    def rank(self) -> int:
        """The number of spatial dimensions, 2 or 3."""
        return len(self.input_shape) - 1

    @property
    def tutorial(self) -> bool:
        """Whether the tutorial's models are asked for."""
        return self.variant == "bnsreenu"

    @property
    def nested(self) -> bool:
        """Whether the skips are nested, as in UNet++."""
        return self.skips == "nested"

    @property
    def heads(self) -> list[str]:
        """The blocks that make the outputs, in their order: `head`, and `head2`, ... under deep supervision."""
        several = self.depth if self.deep_supervision is True else int(self.deep_supervision)
        return ["head", *(f"head{n}" for n in range(2, several + 1))]

    @property
    def momentum(self) -> float:
        """The momentum of batch normalisation: Keras' own in the tutorial's models, 0.9 in ours."""
        if self.norm_momentum is None:
            return 0.99 if self.tutorial else 0.9
        return self.norm_momentum

    @property
    def use_bias(self) -> bool:
        """Whether a convolution before a norm has a bias.

        A norm subtracts it again or has an offset of its own, so its gradient is rounding noise. Adam rescales that
        noise to full-size steps, and every measurement of gradients and updates would have to look past it.
        """
        return self.norm is None or self.tutorial

    @property
    def penalty(self) -> keras.Regularizer | None:
        """The penalty on each kernel; None where there is none."""
        if self.l1 == self.l2 == 0:
            return None
        return keras.regularizers.L1L2(float(self.l1), float(self.l2))

    def level_filters(self, level: int) -> int:
        """The channels of level 1, 2, ...: they double with every halving of the resolution."""
        return self.filters * 2 ** (level - 1)

    def layer_seed(self, name: str) -> int | None:
        """A seed of the layer's own, so that equal kernels do not start equal; None leaves it to Keras."""
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF


def _check_deep_supervision(options: Options) -> None:
    received, depth = options.deep_supervision, options.depth
    if received is False:
        return
    if received is not True:
        check_count("deep_supervision", received, least=2, unit="outputs", otherwise="or True for all", most=depth)
    if depth < 2:
        raise ValueError(f"`deep_supervision` needs two levels at least. Received: depth={depth}.")
    if any(size is not None and size % 2**depth for size in options.input_shape[:-1]):
        raise ValueError(
            f"`deep_supervision` needs sizes that 2**depth = {2**depth} divides, so that each output is a whole part "
            f"of the labels. Received: input_shape={options.input_shape!r}. Train on tiles of such a size."
        )
    if options.nested and options.encoder is not None and options.encoder.finest > 1:
        raise ValueError(
            "`deep_supervision` with `skips='nested'` looks at the nodes of level 1, and `encoder` has no features at "
            "stride 1. Use plain skips, or leave deep supervision out. Received: an encoder whose finest stride is "
            f"{2 ** (options.encoder.finest - 1)}."
        )


def _check_activation(received: Any) -> None:
    if isinstance(received, str):
        known = [name for name in dir(keras.activations) if not name.startswith("_")]
        try:
            keras.activations.get(received)
        except ValueError as error:
            raise ValueError(
                "`activation` must be a name from `keras.activations`, such as 'relu', or a function. "
                f"Received: activation={received!r}.{nearest(received, known)}"
            ) from error
    elif isinstance(received, keras.layers.Layer) or not callable(received):
        raise ValueError(
            "`activation` must be a name from `keras.activations` or a function, not a layer: all blocks would share "
            f"it. Received: activation={received!r}."
        )


def _checked_shape(input_shape: Any) -> tuple[int | None, ...]:
    expected = (
        "`input_shape` must be (height, width, channels) or (depth, height, width, channels), without the batch size. "
        f"Received: input_shape={input_shape!r}."
    )
    if not isinstance(input_shape, tuple | list) or len(input_shape) not in (3, 4):
        raise ValueError(expected)
    for size in input_shape:
        if size is not None and (not is_count(size) or size < 1):
            raise ValueError(f"{expected} Sizes are whole numbers of at least 1, or None where they vary.")
    if input_shape[-1] is None:
        raise ValueError(f"{expected} The channels, which come last, must be known.")
    return tuple(None if size is None else int(size) for size in input_shape)


def _check_size(input_shape: tuple[int | None, ...], depth: int, norm: str | None) -> None:
    coarsest = 2**depth
    sizes = input_shape[:-1]
    if any(size is not None and size < coarsest for size in sizes):
        raise ValueError(
            f"`input_shape` must have at least 2**depth = {coarsest} pixels in every spatial dimension, or the "
            f"bottleneck would have less than one. Received: input_shape={input_shape!r}, depth={depth}. Use larger "
            "images or a smaller depth."
        )
    known = [size for size in sizes if size is not None]
    if norm == "instance" and len(known) == len(sizes) and prod(ceil(size / coarsest) for size in known) == 1:
        raise ValueError(
            "`norm='instance'` subtracts each channel's mean over the image, and the bottleneck here has one pixel: "
            f"only zeros would leave it. Received: input_shape={input_shape!r}, depth={depth}. Use larger images, a "
            "smaller depth or another norm."
        )
