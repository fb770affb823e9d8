"""What kind of weight a variable is: a kernel or not, insensitive to its scale or not, and what its units are."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import keras

# Variables of rank 2 and more that are no kernels: biases of attention, scales and offsets of norms, slopes of PReLU.
_NOT_KERNELS = ("bias", "beta", "gamma", "scale", "alpha")


def is_kernel(variable: keras.Variable) -> bool:
    """Whether a variable multiplies its layer's input: not a bias, nor a norm's scale or offset.

    Example:
        >>> layer = keras.layers.Dense(2)
        >>> layer.build((None, 3))
        >>> [is_kernel(variable) for variable in layer.weights]
        [True, False]
    """
    return len(variable.shape) >= 2 and not variable.name.endswith(_NOT_KERNELS)


def weight_kind(layer: keras.Layer, variable: keras.Variable) -> str:
    """Which axes of one of its layer's weights number the units; see `unit_axes`.

    Example:
        >>> layer = keras.layers.SeparableConv2D(4, 3)
        >>> layer.build((None, 8, 8, 2))
        >>> weight_kind(layer, layer.depthwise_kernel), weight_kind(layer, layer.pointwise_kernel)
        ('depthwise', 'convolution')
    """
    layers = keras.layers
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        return "transposed"
    if isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D):
        return "depthwise"
    if isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
        return "depthwise" if variable is layer.depthwise_kernel else "convolution"
    if isinstance(layer, layers.Conv1D | layers.Conv2D | layers.Conv3D):
        return "convolution"
    return "other"


def unit_axes(shape: Sequence[int], kind: str = "other") -> tuple[int, ...]:
    """The axes of a weight that its units' norms are summed over: all but those that number the units.

    A unit is what makes one output: for a convolution an output channel (kernels are `(*window, in, out)`), for a
    transposed one too (kernels are `(*window, out, in)`), for a depthwise one a channel's window (kernels are
    `(*window, channels, multiplier)`), for a dense layer an output (kernels are `(in, out)`). As in the paper's own
    code, a weight with at most one axis longer than 1 (biases, gains) is one unit. Other weights with two or three axes
    are summed over the first, those with more over all but the last.

    Args:
        shape: The weight's shape.
        kind: What `weight_kind` says: `"convolution"`, `"transposed"`, `"depthwise"` or `"other"`.

    Returns:
        Axes, ascending; all of them where the weight is one unit.

    Example:
        >>> unit_axes((3, 3, 4, 8), "convolution"), unit_axes((2, 2, 8, 4), "transposed")
        ((0, 1, 2), (0, 1, 3))
        >>> unit_axes((4, 8)), unit_axes((8,))
        ((0,), (0,))

    Reference:
        Brock et al. (2021), High-Performance Large-Scale Image Recognition Without Normalization, and its
        `unitwise_norm` in https://github.com/google-deepmind/deepmind-research/blob/master/nfnets/optim.py.
    """
    axes = tuple(range(len(shape)))
    if sum(size != 1 for size in shape) <= 1:
        return axes
    if kind == "transposed":
        return (*axes[:-2], axes[-1])
    if kind == "depthwise":
        return axes[:-2]
    if kind == "convolution" or len(shape) > 3:
        return axes[:-1]
    return axes[:1]


def scale_invariant(model: keras.Model, variables: Sequence[keras.Variable]) -> list[int]:
    """The kernels whose scale the network does not feel, since a normalisation follows at once.

    f(c · w) = f(w) for every c > 0: batch norm, group and layer norm divide by the scale of what they are given.
    Exact, up to ε, for a linear layer (a convolution or dense layer without activation) whose outputs all go to
    normalisation layers. Batch norm allows a bias, the others do not.

    Args:
        model: A built model. Layers are followed where Keras knows the graph: in functional and sequential models, and
            such models nested in them. In others no kernel is found.
        variables: What the indices refer to, such as `OptimizerTap.variables`.

    Returns:
        Indices into `variables`, ascending.

    Example:
        >>> inputs = keras.Input((8, 8, 1))
        >>> x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
        >>> x = keras.layers.BatchNormalization()(x)
        >>> model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(x))
        >>> [model.trainable_variables[i].path for i in scale_invariant(model, model.trainable_variables)]
        ['conv/kernel']

    Reference:
        van Laarhoven, L2 regularization versus batch and weight normalization (2017), arXiv:1706.05350.
    """
    kernels = {id(layer.kernel) for graph in _graphs(model) for layer in _normalised_layers(graph)}
    return [i for i, variable in enumerate(variables) if id(variable) in kernels]


def _graphs(model: keras.Model) -> Iterator[keras.Model]:
    """The model and the models nested in it whose graph Keras knows."""
    graph = getattr(model, "_functional", model)  # what a sequential model is made of
    if hasattr(graph, "operations"):
        yield graph
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _graphs(layer)


def _normalised_layers(graph: keras.Model) -> Iterator[keras.Layer]:
    consumers = defaultdict(list)
    for operation in graph.operations:
        for node in operation._inbound_nodes:
            for tensor in node.input_tensors:
                consumers[id(tensor)].append(operation)
    outputs = {id(tensor) for tensor in graph.outputs}
    for layer in graph.operations:
        if not _is_linear(layer):
            continue
        made = [tensor for node in layer._inbound_nodes for tensor in node.output_tensors]
        takers = [taker for tensor in made for taker in consumers[id(tensor)]]
        if takers and all(_removes_scale(taker, layer) for taker in takers) and not outputs & {id(t) for t in made}:
            yield layer


def _is_linear(layer: Any) -> bool:
    """A layer whose output is its kernel times its input, plus a bias: scaled as the kernel is."""
    linear = isinstance(layer, keras.layers.Dense) or hasattr(layer, "kernel_size")
    return (
        linear
        and isinstance(getattr(layer, "kernel", None), keras.Variable)
        and (getattr(layer, "activation", None) in (None, keras.activations.linear))
    )


def _removes_scale(norm: Any, layer: keras.Layer) -> bool:
    layers = keras.layers
    if isinstance(norm, layers.BatchNormalization):
        return norm.trainable  # a frozen one divides by its stored statistics, whatever the kernel does
    others = (layers.GroupNormalization, layers.LayerNormalization, layers.RMSNormalization)
    return isinstance(norm, others) and not getattr(layer, "use_bias", True)
