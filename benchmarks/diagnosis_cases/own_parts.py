"""Optimizers, losses and altered nets that a set-up has no field for, made late: who lists cases loads no Keras."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def line(first: float, last: float) -> Callable[[int], Any]:
    """A rate that runs in a straight line from the first step to the last."""

    def rate(steps: int) -> Any:
        import keras

        return keras.optimizers.schedules.PolynomialDecay(first, steps, last)

    return rate


def optimizers(name: str, *options: dict[str, Any]) -> list[dict[str, Any]]:
    """One of Keras' optimizers, with these arguments; a rate may be a `line`."""

    def make(given: dict[str, Any], steps: int) -> "keras.optimizers.Optimizer":
        import keras

        rate = given["learning_rate"]
        return getattr(keras.optimizers, name)(**given | {"learning_rate": rate(steps) if callable(rate) else rate})

    return [{"make_optimizer": partial(make, given)} for given in options]


def rates(name: str, *rates: Any) -> list[dict[str, Any]]:
    return optimizers(name, *({"learning_rate": rate} for rate in rates))


def losses(name: str, *options: dict[str, Any]) -> list[dict[str, Any]]:
    """One of Keras' losses, with these arguments."""

    def make(given: dict[str, Any]) -> "keras.losses.Loss":
        import keras

        return getattr(keras.losses, name)(**given)

    return [{"make_loss": partial(make, given)} for given in options]


def own_loss(function: Callable[[Any, Any, Any], Any]) -> dict[str, Any]:
    """A loss of somebody's own, called with Keras' operations, the masks and the outputs."""

    def make() -> Callable[[Any, Any], Any]:
        from keras import ops

        def loss(y_true: Any, y_pred: Any) -> Any:
            return function(ops, ops.cast(y_true, y_pred.dtype), y_pred)

        loss.__name__ = function.__name__
        return loss

    return {"make_loss": make}


def summed_crossentropy(ops: Any, y: Any, p: Any) -> Any:
    return ops.sum(ops.binary_crossentropy(y, p), axis=(1, 2, 3))


def half_crossentropy(ops: Any, y: Any, p: Any) -> Any:
    """Nothing keeps the logarithm from 0, which a probability of half precision soon is."""
    y, p = ops.cast(y, "float16"), ops.cast(p, "float16")
    return ops.cast(-(y * ops.log(p) + (1 - y) * ops.log(1 - p)), "float32")


def balanced_crossentropy(ops: Any, y: Any, p: Any) -> Any:
    """The mean over the foreground and that over the background: 0 / 0 in a tile that has but one."""
    each_pixel = ops.binary_crossentropy(y, p)
    return sum(ops.sum(each_pixel * of, axis=(1, 2, 3)) / ops.sum(of, axis=(1, 2, 3)) for of in (y, 1 - y))


def dice(ops: Any, y: Any, p: Any) -> Any:
    """How good it is, where how bad it is was wanted."""
    both = ops.sum(y, axis=(1, 2, 3)) + ops.sum(p, axis=(1, 2, 3))
    return (2 * ops.sum(y * p, axis=(1, 2, 3)) + 1) / (both + 1)


def crossentropy_and_dice(ops: Any, y: Any, p: Any) -> Any:
    return ops.mean(ops.binary_crossentropy(y, p), axis=(1, 2, 3)) + 3 * dice(ops, y, p)


# The net, once it is built.
def altered(way: "Callable[[Any, keras.Model], None]", *amounts: Any) -> list[dict[str, Any]]:
    return [{"alter": partial(way, amount)} for amount in amounts]


def activated(which: str, name: str, model: "keras.Model") -> None:
    """Another activation where these layers had theirs."""
    import keras

    act, ops = keras.activations, keras.ops
    activation = {
        "capped": lambda x: act.relu(x, max_value=1.0),
        "log": act.log_sigmoid,
        "twice": lambda x: act.sigmoid(act.sigmoid(x)),
        "thrice": lambda x: act.sigmoid(act.sigmoid(act.sigmoid(x))),
        "slope of one": lambda x: act.leaky_relu(x, negative_slope=1.0),
        "faint": lambda x: 0.3 * act.relu(x),
        "fainter": lambda x: 0.05 * act.relu(x),
        "detached": lambda x: ops.stop_gradient(act.relu(x)),
    }[name]
    for layer in model.layers:
        hidden = getattr(getattr(layer, "activation", None), "__name__", "") == "relu"
        if layer.name.startswith(which) and (hidden or which == "head_act"):
            layer.activation = activation


def copied_norms(momentum: float, model: "keras.Model") -> None:
    for layer in model.layers:
        if layer.name.startswith(("bottleneck", "dec")) and hasattr(layer, "momentum"):
            layer.momentum = momentum


def closed(block: str, model: "keras.Model") -> None:
    """Norms that let nothing through: ReLU sees the same negative number everywhere."""
    for layer in model.layers:
        if layer.name.startswith(block) and getattr(layer, "gamma", None) is not None:
            layer.gamma.assign(0 * layer.gamma)
            layer.beta.assign(0 * layer.beta - 0.5)


def untrainable(blocks: tuple[str, ...], model: "keras.Model") -> None:
    for layer in model.layers:
        if layer.name.startswith(blocks):
            layer.trainable = False


def alike(blocks: tuple[str, ...], model: "keras.Model") -> None:
    """All weights of a kernel the same: its channels never become different ones."""
    for layer in model.layers:
        if layer.name.startswith(blocks) and getattr(layer, "kernel", None) is not None:
            layer.kernel.assign(np.full(layer.kernel.shape, 1 / np.prod(layer.kernel.shape[:-1])))


def positive(blocks: tuple[str, ...], model: "keras.Model") -> None:
    """Drawn from 0 to the limit instead of to both sides of 0."""
    from keras import ops

    for layer in model.layers:
        if layer.name.startswith(blocks) and getattr(layer, "kernel", None) is not None:
            layer.kernel.assign(ops.abs(layer.kernel))
