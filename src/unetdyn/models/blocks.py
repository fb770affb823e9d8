"""The parts that a U-Net repeats: convolution blocks, norms, pooling and upsampling."""

from math import gcd
from typing import Any

import keras

from unetdyn.models.layers import CropLike, LinearUpsampling
from unetdyn.models.options import Options

# Group norm's authors use 32 groups, which narrow levels do not have; 8 is what 3D U-Nets use (Wolny et al., 2020).
GROUPS = 8


def layer_class(template: str, options: Options) -> Any:
    """Keras' layer for 2D or 3D images: `"Conv{}D"` is `Conv2D` or `Conv3D`."""
    return getattr(keras.layers, template.format(options.rank))


def convolve(x: Any, filters: int, size: int, options: Options, name: str, **kwargs: Any) -> Any:
    """A `same` convolution; `kwargs` override the house's initialiser, bias and so on."""
    kwargs.setdefault("kernel_initializer", initializer("he_normal", options, name))
    layer = layer_class("Conv{}D", options)
    return layer(filters, size, padding="same", data_format="channels_last", name=name, **kwargs)(x)


def initializer(kind: str, options: Options, name: str) -> Any:
    """`he_normal` before a ReLU, `glorot_uniform` before a sigmoid, and everywhere in the tutorial's models."""
    classes = {"he_normal": keras.initializers.HeNormal, "glorot_uniform": keras.initializers.GlorotUniform}
    return classes["glorot_uniform" if options.tutorial else kind](seed=options.layer_seed(name))


def normalise(x: Any, options: Options, name: str) -> Any:
    """The norm that the options name; the identity for None."""
    if options.norm is None:
        return x
    if options.norm == "batch":
        return keras.layers.BatchNormalization(momentum=options.momentum, name=name)(x)
    if options.norm == "layer":
        return keras.layers.LayerNormalization(name=name)(x)
    groups = -1 if options.norm == "instance" else gcd(GROUPS, x.shape[-1])
    return keras.layers.GroupNormalization(groups=groups, name=name)(x)


def activate(x: Any, options: Options, name: str) -> Any:
    """The activation that the options name, as a layer of its own so that it can be fetched."""
    return keras.layers.Activation(options.activation, name=name)(x)


def drop(x: Any, options: Options, name: str) -> Any:
    """Dropout, or the identity where its rate is 0."""
    if options.dropout == 0:
        return x
    return keras.layers.Dropout(options.dropout, seed=options.layer_seed(name), name=name)(x)


def conv_norm(x: Any, filters: int, size: int, options: Options, conv_name: str, norm_name: str) -> Any:
    """A convolution and its norm."""
    x = convolve(x, filters, size, options, conv_name, use_bias=options.use_bias)
    return normalise(x, options, norm_name)


def conv_block(x: Any, filters: int, options: Options, block: str) -> Any:
    """Convolution, norm and activation, twice; dropout (Ronneberger et al., 2015)."""
    for i in (1, 2):
        x = conv_norm(x, filters, 3, options, f"{block}_conv{i}", f"{block}_norm{i}")
        x = activate(x, options, f"{block}_act{i}")
    return drop(x, options, f"{block}_dropout")


def residual_block(x: Any, filters: int, options: Options, block: str) -> Any:
    """The sum of two convolutions and a 1×1 shortcut, activated after the sum (He et al., 2016)."""
    y = conv_norm(x, filters, 3, options, f"{block}_conv1", f"{block}_norm1")
    y = activate(y, options, f"{block}_act1")
    y = conv_norm(y, filters, 3, options, f"{block}_conv2", f"{block}_norm2")
    y = drop(y, options, f"{block}_dropout")
    shortcut = conv_norm(x, filters, 1, options, f"{block}_shortcut", f"{block}_shortcut_norm")
    y = keras.layers.Add(name=f"{block}_add")([shortcut, y])
    return activate(y, options, f"{block}_act2")


def pool(x: Any, options: Options, block: str) -> Any:
    """Halve the resolution by the maximum; of an odd size the last pixel is a window of its own."""
    layer = layer_class("MaxPooling{}D", options)
    return layer(2, padding="same", data_format="channels_last", name=f"{block}_pool")(x)


def upsample_like(x: Any, reference: Any, options: Options, block: str) -> Any:
    """Double the resolution and crop to the reference; a transposed convolution also halves the channels."""
    name = f"{block}_up"
    if options.upsample == "transpose":
        kernel_initializer = initializer("he_normal", options, name)
        layer = layer_class("Conv{}DTranspose", options)(
            x.shape[-1] // 2,
            2,
            strides=2,
            data_format="channels_last",
            kernel_initializer=kernel_initializer,
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
    """Crop to the reference's size; nothing where both are known and equal."""
    sizes = tuple(x.shape[1:-1])
    if None not in sizes and sizes == tuple(reference.shape[1:-1]):
        return x
    return CropLike(name=f"{block}_crop")(x, reference)
