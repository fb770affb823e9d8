"""Any Keras model as encoder: its features at each halving of the resolution, under the names of the contract.

What a decoder needs of it is one tensor, a *tap*, for each stride: of stride 2^(k-1) at level k.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from unetdyn._checks import check_count, is_count, nearest
from unetdyn.models.layers import PadToMultiple

_POWERS = {float(2**k) for k in range(32)}
PROBE = 384  # 3 · 2⁷ pixels a side: strides to 128 divide it, and a map of one pixel, 1/384 of it, is no power of two

Taps = Mapping[int, Any]


@dataclass(frozen=True)
class Encoder:
    """A checked encoder.

    Attributes:
        model: From images to `{"enc1": ..., ..., "bottleneck": ...}`; it shares the layers of the user's model.
        finest: The first level that has features.
        depth: How often it halves the resolution.
    """

    model: keras.Model
    finest: int
    depth: int


def find_encoder(model: Any, taps: Taps | None, trainable: bool, depth: int | None) -> Encoder:
    """The encoder that a builder's arguments ask for; `UNet` documents them."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None) or len(model.inputs) != 1:
        raise ValueError(
            "`encoder` must be a functional or sequential Keras model with one input, such as "
            "`keras.applications.MobileNetV2(include_top=False, input_shape=(None, None, 3))`. "
            f"Received: encoder={model!r}."
        )
    if depth is not None:
        check_count("depth", depth, least=1, unit="")
    if taps is None:
        taps = _pyramid(model)
    there = _all_taps(model) if taps is None else _named_taps(model, taps)
    chosen = _unbroken(there, depth)
    deepest = max(chosen)
    outputs = {_block(stride, deepest): tensor for stride, tensor in sorted(chosen.items())}
    nested = keras.Model(model.inputs[0], outputs, name="encoder")
    if not trainable:
        nested.trainable = False
    return Encoder(nested, min(chosen).bit_length(), deepest.bit_length() - 1)


def encoder_features(encoder: Encoder, images: Any) -> dict[int, Any]:
    """The features at each level, `{level: tensor}`; the bottleneck is the last.

    Images of one channel are repeated for an encoder of colours, and sizes that don't divide are padded at the far end.
    """
    channels, taken, multiple = images.shape[-1], encoder.model.inputs[0].shape[-1], 2**encoder.depth
    if channels not in (1, taken):
        raise ValueError(
            f"`encoder` takes images of {taken} channels, and `input_shape` has {channels}. One channel would be "
            f"repeated. For another number build the encoder with it, or a model of {taken} channels and a convolution "
            f"before it: `keras.Model(x, model(keras.layers.Conv2D({taken}, 1)(x)))`. "
            f"Received: input_shape={tuple(images.shape[1:])}."
        )
    x = images
    if any(size is None or size % multiple for size in images.shape[1:-1]):
        x = PadToMultiple(multiple, name="encoder_pad")(x)
    _check_sizes(encoder, images.shape[1:-1], x.shape[1:-1])
    if channels != taken:
        x = keras.layers.Concatenate(name="encoder_repeat")([x] * taken)
    features = encoder.model(x)
    return {level: features[_block(2 ** (level - 1), multiple)] for level in range(encoder.finest, encoder.depth + 2)}


def _block(stride: int, deepest: int) -> str:
    return "bottleneck" if stride == deepest else f"enc{stride.bit_length()}"


def _check_sizes(encoder: Encoder, sizes: tuple[int | None, ...], padded: tuple[int | None, ...]) -> None:
    taken = encoder.model.inputs[0].shape[1:-1]
    if len(taken) != len(padded):
        raise ValueError(
            f"`encoder` takes images of {len(taken)} dimensions, and `input_shape` has {len(padded)}. Received: the "
            f"encoder's input {tuple(encoder.model.inputs[0].shape)}, sizes {tuple(sizes)}."
        )
    if any(own not in (None, size) for own, size in zip(taken, padded, strict=True)):
        raise ValueError(
            f"`encoder` was built for images of {tuple(taken)} pixels. Build it for any size, with "
            "`input_shape=(None, None, 3)` in `keras.applications`, or give the model that size, of which "
            f"2**depth = {2**encoder.depth} must be a divisor. Received: input_shape of {tuple(sizes)} pixels."
        )


def _pyramid(model: keras.Model) -> Taps | None:
    """KerasHub's backbones have `pyramid_outputs`: `{"P2": tensor, ...}`, level k at stride 2^k."""
    pyramid = getattr(model, "pyramid_outputs", None)
    if not isinstance(pyramid, Mapping):
        return None
    return {2 ** int(key[1:]): tensor for key, tensor in pyramid.items() if re.fullmatch(r"P\d+", key)}


def _all_taps(model: keras.Model) -> dict[int, Any]:
    """The last tensor of each stride: what the encoder has to say there before it halves the resolution again.

    At stride 1, tensors with as many channels as the image are the image, rescaled; those of one pixel, unless they are
    the model's answer, are weights of channels (squeeze and excitation).
    """
    graph = keras.Model(model.inputs, model.outputs)
    image, answers = model.inputs[0], [id(tensor) for tensor in model.outputs]
    once = [op._inbound_nodes[0].output_tensors for op in graph.operations if len(op._inbound_nodes) == 1]
    tensors = [x for made in once for x in made if len(x.shape) == len(image.shape)]
    found = {}
    for tensor, (stride, sizes) in zip(tensors, _strides(model, tensors), strict=True):
        is_map = id(tensor) in answers or set(sizes) != {1}
        is_image = stride == 1 and tensor.shape[-1] == image.shape[-1]
        if stride is not None and is_map and not is_image:
            found[stride] = tensor
    return found


def _named_taps(model: keras.Model, taps: Taps) -> dict[int, Any]:
    if not isinstance(taps, Mapping) or not taps:
        raise ValueError(
            "`encoder_taps` must be a dictionary from a stride to a layer's name or a tensor, such as "
            f"{{2: 'conv1_relu', 4: 'conv2_block3_out'}}. Received: encoder_taps={taps!r}."
        )
    wrong = [stride for stride in taps if not is_count(stride) or stride < 1 or stride & (stride - 1)]
    if wrong:
        raise ValueError(
            "`encoder_taps` must have powers of two as keys, the strides: how many pixels of the image one of the "
            f"features stands for. Received: {', '.join(map(repr, wrong))}."
        )
    strides = [int(stride) for stride in taps]
    tensors = [_tensor(model, tap) for tap in taps.values()]
    for stride, tensor, (seen, sizes) in zip(strides, tensors, _strides(model, tensors), strict=True):
        if seen != stride:
            raise ValueError(
                f"`encoder_taps[{stride}]` must be 1/{stride} of the image's size in every dimension. Received: "
                f"{_name(tensor)!r}, {sizes} of {_probe(model)} pixels. Where the encoder was built for a size that "
                "its strides don't divide, build it for any: `input_shape=(None, None, 3)`."
            )
    return dict(zip(strides, tensors, strict=True))


def _tensor(model: keras.Model, tap: Any) -> Any:
    received = f"Received: {tap!r}."
    if isinstance(tap, str):
        names = [layer.name for layer in model.layers]
        if tap not in names:
            raise ValueError(f"`encoder_taps` names a layer that `encoder` lacks. {received}{nearest(tap, names)}")
        nodes = model.get_layer(tap)._inbound_nodes
        if len(nodes) != 1:
            raise ValueError(
                f"`encoder_taps` names a layer that is called {len(nodes)} times: pass the tensor. {received}"
            )
        tap = nodes[0].output_tensors[0]
    if not isinstance(tap, keras.KerasTensor):
        raise ValueError(f"`encoder_taps` must have names of layers, or tensors of Keras. {received}")
    return tap


def _probe(model: keras.Model) -> tuple[int, ...]:
    """Sizes with which strides are told: the encoder's own where it has any."""
    return tuple(PROBE if size is None else size for size in model.inputs[0].shape[1:-1])


def _strides(model: keras.Model, tensors: list[Any]) -> list[tuple[int | None, tuple[int | None, ...]]]:
    """The stride of each tensor, None where it is no power of two or not the same in all dimensions; and its sizes."""
    image, probe = model.inputs[0], _probe(model)
    try:
        graph = keras.Model(image, tensors)
    except ValueError as error:
        raise ValueError("`encoder_taps` must have tensors that `encoder` makes of its input.") from error
    if probe != tuple(image.shape[1:-1]):
        try:
            spec = graph.compute_output_spec(keras.KerasTensor((1, *probe, image.shape[-1]), dtype=image.dtype))
        except ValueError as error:
            raise ValueError(
                f"`encoder` takes images of any size by its input, but not of {probe} pixels: {error}. Build it for "
                "the size of the model's images."
            ) from error
        tensors = spec if isinstance(spec, list) else [spec]
    return [(_stride(probe, sizes), sizes) for sizes in (tuple(tensor.shape[1:-1]) for tensor in tensors)]


def _name(tensor: Any) -> str:
    return tensor._keras_history.operation.name


def _stride(image: tuple[int, ...], sizes: tuple[int | None, ...]) -> int | None:
    if len(sizes) != len(image) or not all(sizes):
        return None
    ratios = {whole / size for whole, size in zip(image, sizes, strict=True) if size}
    ratio = ratios.pop()
    return int(ratio) if not ratios and ratio in _POWERS else None


def _unbroken(there: dict[int, Any], depth: int | None) -> dict[int, Any]:
    """The taps to the stride that `depth` asks for; only the finest may be missing, and the decoder goes on without."""
    names = ", ".join(f"{stride} ({_name(tensor)})" for stride, tensor in sorted(there.items())) or "none"
    deepest = max(there, default=1) if depth is None else 2**depth
    chosen = {stride: tensor for stride, tensor in there.items() if stride <= deepest}
    finest = min(chosen, default=1)
    wanted = [finest << k for k in range(64) if finest << k <= deepest]
    missing = [str(stride) for stride in wanted if stride not in chosen]
    if missing or len(chosen) < 2:
        lacks = f"It lacks {', '.join(missing)}" if there and missing else "Needed are two, a skip and the bottleneck"
        raise ValueError(
            "`encoder` must have features at each stride, a power of two, from the finest to the coarsest, 2**depth; "
            f"those finer than its first it need not have. {lacks}. Received: strides {names}. Name them with "
            "`encoder_taps`, or choose another depth."
        )
    return chosen
