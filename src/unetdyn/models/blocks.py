"""The parts that a U-Net repeats: convolution blocks, norms, pooling and upsampling."""

from importlib import import_module
from math import gcd
from typing import Any

import keras

from unetdyn.models.layers import CropLike, LinearUpsampling
from unetdyn.models.options import Options
from unetdyn.models.transposed import Conv2DTranspose, Conv3DTranspose

# Group norm's authors use 32 groups, which narrow levels do not have; 8 is what 3D U-Nets use (Wolny et al., 2020).
GROUPS = 8

OWN_LAYERS = ("jax", "tensorflow", "torch")
"""Backends on which some of Keras' layers can be had faster; a file for each, such as `jax_layers.py`."""


def layer_class(template: str, options: Options) -> Any:
    """Keras' layer for 2D or 3D images: `"Conv{}D"` is `Conv2D` or `Conv3D`; a backend's own where that is faster."""
    name, backend = template.format(options.rank), keras.backend.backend()
    if backend not in OWN_LAYERS:
        return getattr(keras.layers, name)
    own = import_module(f"unetdyn.models.{backend}_layers")
    return getattr(own, name, None) or getattr(keras.layers, name)


def convolve(
    x: Any, filters: int, size: int, options: Options, name: str, *, leads_to: str = "relu", **kwargs: Any
) -> Any:
    """A `same` convolution, with a kernel that suits what it leads to; `kwargs` are the layer's own."""
    layer = layer_class("Conv{}D", options)
    kernel = initializer(leads_to, options, name)
    return layer(
        filters,
        size,
        padding="same",
        data_format="channels_last",
        kernel_initializer=kernel,
        kernel_regularizer=options.penalty,
        name=name,
        **kwargs,
    )(x)


def initializer(leads_to: str, options: Options, name: str) -> Any:
    """He normal before a ReLU, Glorot uniform before a sigmoid and everywhere in the tutorial's models.

    Where two convolutions are summed before a ReLU, LeCun normal: half of He's variance each. With He's, every residual
    block would double the variance, and the logits start 2^(depth + 1/2) times too large wherever no norm stops it.
    """
    initializers = keras.initializers
    classes = {"relu": initializers.HeNormal, "sum": initializers.LecunNormal, "sigmoid": initializers.GlorotUniform}
    return classes["sigmoid" if options.tutorial else leads_to](seed=options.layer_seed(name))


def normalise(x: Any, options: Options, name: str) -> Any:
    """The norm that the options name; the identity for None."""
    if options.norm is None:
        return x
    if options.norm == "batch":
        return layer_class("BatchNormalization", options)(momentum=options.momentum, name=name)(x)
    if options.norm == "layer":
        return keras.layers.LayerNormalization(name=name)(x)
    groups = -1 if options.norm == "instance" else gcd(GROUPS, x.shape[-1])
    return layer_class("GroupNormalization", options)(groups=groups, name=name)(x)


def activate(x: Any, options: Options, name: str) -> Any:
    """The activation that the options name, as a layer of its own so that it can be fetched."""
    return keras.layers.Activation(options.activation, name=name)(x)


def drop(x: Any, options: Options, name: str) -> Any:
    """Dropout, or the identity where its rate is 0."""
    if options.dropout == 0:
        return x
    return keras.layers.Dropout(options.dropout, seed=options.layer_seed(name), name=name)(x)


def conv_block(x: Any, filters: int, options: Options, block: str) -> Any:
    """Convolution, norm and activation, twice; dropout (Ronneberger et al., 2015)."""
    for i in (1, 2):
        x = convolve(x, filters, 3, options, f"{block}_conv{i}", use_bias=options.use_bias)
        x = normalise(x, options, f"{block}_norm{i}")
        x = activate(x, options, f"{block}_act{i}")
    return drop(x, options, f"{block}_dropout")


def residual_block(x: Any, filters: int, options: Options, block: str) -> Any:
    """The sum of two convolutions and a 1×1 shortcut, activated after the sum (He et al., 2016)."""
    bias = options.use_bias
    y = convolve(x, filters, 3, options, f"{block}_conv1", use_bias=bias)
    y = normalise(y, options, f"{block}_norm1")
    y = activate(y, options, f"{block}_act1")
    y = convolve(y, filters, 3, options, f"{block}_conv2", leads_to="sum", use_bias=bias)
    y = normalise(y, options, f"{block}_norm2")
    y = drop(y, options, f"{block}_dropout")
    shortcut = convolve(x, filters, 1, options, f"{block}_shortcut", leads_to="sum", use_bias=bias)
    shortcut = normalise(shortcut, options, f"{block}_shortcut_norm")
    y = keras.layers.Add(name=f"{block}_add")([shortcut, y])
    return activate(y, options, f"{block}_act2")


def pool(x: Any, options: Options, block: str) -> Any:
    """Halve the resolution by the maximum; of an odd size the last pixel is a window of its own."""
    layer = layer_class("MaxPooling{}D", options)
    return layer(2, padding="same", data_format="channels_last", name=f"{block}_pool")(x)


def upsample_like(x: Any, reference: Any, options: Options, block: str) -> Any:
    """Double the resolution and crop to the reference, if any; a transposed convolution also halves the channels."""
    name = f"{block}_up"
    if options.upsample == "transpose":
        kernel_initializer = initializer("relu", options, name)
        transposed = Conv2DTranspose if options.rank == 2 else Conv3DTranspose
        layer = transposed(
            x.shape[-1] // 2,
            2,
            strides=2,
            data_format="channels_last",
            kernel_initializer=kernel_initializer,
            kernel_regularizer=options.penalty,
            name=name,
        )
        return crop_like(layer(x), reference, block)
    return crop_like(resample(x, options, name), reference, block)


def resample(x: Any, options: Options, name: str) -> Any:
    """Double the resolution without weights: linear where asked for, else nearest."""
    if options.upsample == "linear":
        return LinearUpsampling(name=name)(x)
    return layer_class("UpSampling{}D", options)(2, data_format="channels_last", name=name)(x)


def crop_like(x: Any, reference: Any, block: str) -> Any:
    """Crop to the reference's size; nothing where there is none, or both are known and equal."""
    if reference is None:
        return x
    sizes = tuple(x.shape[1:-1])
    if None not in sizes and sizes == tuple(reference.shape[1:-1]):
        return x
    return CropLike(name=f"{block}_crop")(x, reference)
