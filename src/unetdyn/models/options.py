"""What a U-Net is built from: the checked arguments of the builders, in one frozen object."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from numbers import Integral, Real
from typing import Any

import keras

from unetdyn._checks import nearest, unknown_choice

NORMS = ("batch", "group", "instance", "layer", None)
UPSAMPLINGS = ("nearest", "linear", "transpose")
GATES = ("oktay", "additive")
OUTPUTS = ("probabilities", "logits")
VARIANTS = ("default", "bnsreenu")


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", _checked_shape(self.input_shape))
        for argument, minimum in {"classes": 1, "filters": 1, "depth": 1, "seed": 0}.items():
            if argument != "seed" or self.seed is not None:
                object.__setattr__(self, argument, _checked_whole(argument, getattr(self, argument), minimum))
        _check_choice("norm", self.norm, NORMS)
        _check_choice("upsample", self.upsample, UPSAMPLINGS)
        _check_choice("gate", self.gate, GATES)
        _check_choice("output", self.output, OUTPUTS)
        _check_choice("variant", self.variant, VARIANTS)
        if not (_is_number(self.dropout) and 0 <= self.dropout < 1):
            raise ValueError(f"`dropout` must be a rate of at least 0 and below 1. Received: dropout={self.dropout!r}.")
        if self.norm_momentum is not None and not (_is_number(self.norm_momentum) and 0 < self.norm_momentum < 1):
            raise ValueError(
                "`norm_momentum` must be above 0 and below 1, or None for the variant's own. "
                f"Received: norm_momentum={self.norm_momentum!r}."
            )
        _check_activation(self.activation)
        _check_size(self.input_shape, self.depth, self.norm)

    @property
    def rank(self) -> int:
        """The number of spatial dimensions, 2 or 3."""
        return len(self.input_shape) - 1

    @property
    def tutorial(self) -> bool:
        """Whether the tutorial's models are asked for."""
        return self.variant == "bnsreenu"

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

    def level_filters(self, level: int) -> int:
        """The channels of level 1, 2, ...: they double with every halving of the resolution."""
        return self.filters * 2 ** (level - 1)

    def layer_seed(self, name: str) -> int | None:
        """A seed of the layer's own, so that equal kernels do not start equal; None leaves it to Keras."""
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode()) & 0x7FFFFFFF


def _checked_whole(argument: str, received: Any, minimum: int) -> int:
    if not _is_whole(received) or received < minimum:
        raise ValueError(
            f"`{argument}` must be a whole number of at least {minimum}. Received: {argument}={received!r}."
        )
    return int(received)


def _is_whole(received: Any) -> bool:
    return isinstance(received, Integral) and not isinstance(received, bool)


def _is_number(received: Any) -> bool:
    return isinstance(received, Real) and not isinstance(received, bool)


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


def _check_choice(argument: str, received: object, known: tuple[str | None, ...]) -> None:
    if received not in known:
        raise ValueError(unknown_choice(argument, received, known))


def _checked_shape(input_shape: Any) -> tuple[int | None, ...]:
    expected = (
        "`input_shape` must be (height, width, channels) or (depth, height, width, channels), without the batch size. "
        f"Received: input_shape={input_shape!r}."
    )
    if not isinstance(input_shape, tuple | list) or len(input_shape) not in (3, 4):
        raise ValueError(expected)
    for size in input_shape:
        if size is not None and (not _is_whole(size) or size < 1):
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
