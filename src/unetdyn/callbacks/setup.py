"""What a training was set up with: read from the compiled model, for whoever judges the run later."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from numbers import Integral, Real
from typing import Any

import keras

from unetdyn.callbacks.logged_number import number_of
from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.dynamics.optimizers import inner, strategy

Setup = dict[str, Any]

_CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
_SATURATING = ("sigmoid", "tanh", "hard_sigmoid")
_ACTIVATION_LAYERS = ("Softmax", "ReLU", "LeakyReLU", "PReLU", "ELU")


def setup(
    model: keras.Model,
    params: Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
) -> Setup:
    """How a training was set up, as a dictionary that JSON can hold.

    Nothing here raises: what a model does not tell is None.

    Args:
        model: Built and compiled, and trained for a step at least, which makes its metrics.
        params: What Keras gives to callbacks: `epochs` and `steps`.
        learning_rate: The rate at the first step. Default: the schedule's, or the optimizer's as it is now.
        batch_size: Images in a step, which Keras does not tell to callbacks; see `batch_sizes.batch_size_of`.

    Returns:
        `optimizer`, a dictionary of `name` (its class), `learning_rate`, `schedule` (its class, or None) and `config`;
        `loss`, of `name` and `config`, under one name whether it was given as a text, a function or an object;
        `metrics`; `batch_size`; `steps_per_epoch`; `epochs`; `norms`, for each normalisation layer `layer`, `kind` (its
        class), `momentum` (None unless it keeps moving statistics) and `trainable`; `parameters`;
        `trainable_parameters`; `frozen_layers`; `output_activation`; `hidden_activations`, how often each comes before
        the last kernel, or None where a layer of the user's own may have another; `input_shape`; `output_shape`;
        `dropout`, the largest rate; `penalty`, the largest L2 penalty on a kernel, and `l1_penalty`; `dtype_policy`,
        that of most layers with weights; `backend`; `devices`; `jit_compile`; `model`; `accumulation_steps`; `clip`,
        the optimizer's own clipping, or None.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")], name="tiny")
        >>> model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
        >>> found = setup(model, {"epochs": 3, "steps": 4}, batch_size=8)
        >>> found["optimizer"]["name"], found["optimizer"]["learning_rate"], found["loss"]["name"]
        ('SGD', 0.5, 'binary_crossentropy')
        >>> found["output_activation"], found["parameters"], found["output_shape"], found["epochs"]
        ('sigmoid', 3, [None, 1], 3)
    """
    params = params or {}
    parts: dict[str, Callable[[], Any]] = {
        "optimizer": lambda: _optimizer(model.optimizer, learning_rate),
        "loss": lambda: _loss(model.loss),
        "metrics": lambda: list(metric_directions(model)),
        "batch_size": lambda: batch_size,
        "steps_per_epoch": lambda: params.get("steps"),
        "epochs": lambda: params.get("epochs"),
        "norms": lambda: [_norm(layer) for layer in _layers(model) if _is_norm(layer)],
        "parameters": lambda: model.count_params(),
        "trainable_parameters": lambda: sum(math.prod(variable.shape) for variable in model.trainable_variables),
        "frozen_layers": lambda: [layer.name for layer in _layers(model) if _is_frozen(layer)],
        "output_activation": lambda: _output_activation(model),
        "hidden_activations": lambda: _hidden_activations(model),
        "input_shape": lambda: _input_shape(model),
        "output_shape": lambda: _output_shape(model),
        "dropout": lambda: max((_dropout(layer) for layer in _layers(model)), default=0.0),
        "penalty": lambda: _largest_penalty(model, "l2"),
        "l1_penalty": lambda: _largest_penalty(model, "l1"),
        "dtype_policy": lambda: _dtype_policy(model),
        "backend": keras.config.backend,
        "devices": lambda: _devices(model),
        "jit_compile": lambda: bool(model.jit_compile) and not model.run_eagerly,
        "model": lambda: model.name,
        "accumulation_steps": lambda: inner(model.optimizer).gradient_accumulation_steps or 1,
        "clip": lambda: _clip(inner(model.optimizer)),
    }
    return {name: _plain(_told(read)) for name, read in parts.items()}


def loss_of(model: keras.Model) -> Setup | None:
    """The loss alone, as `setup` has it; None where it can't be told.

    Args:
        model: Compiled.
    """
    return _plain(_told(lambda: _loss(model.loss)))


def _told(read: Callable[[], Any]) -> Any:
    """What a part of the set-up is, or None: whatever a user's own class raises, the training goes on."""
    try:
        return read()
    except Exception:
        return None


def _optimizer(optimizer: keras.Optimizer, learning_rate: float | None) -> Setup:
    updating = inner(optimizer)
    config = _plain(_told(updating.get_config))
    found: Setup = {"name": type(updating).__name__, "learning_rate": learning_rate, "schedule": None, "config": config}
    schedule = getattr(updating, "_learning_rate", None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return found | {"learning_rate": _told(lambda: number_of(schedule(0))), "schedule": type(schedule).__name__}
    if learning_rate is None:
        found["learning_rate"] = _told(lambda: number_of(updating.learning_rate))
    elif config:
        config["learning_rate"] = learning_rate  # by now a callback may have set another
    return found


def _clip(optimizer: keras.Optimizer) -> Setup | None:
    given = {name: getattr(optimizer, name, None) for name in _CLIPPING}
    return {name: value for name, value in given.items() if value is not None} or None


def _loss(loss: Any) -> Setup | None:
    """One loss; of several outputs the names of all, with the configuration of each."""
    if loss is None:
        return None
    if isinstance(loss, Mapping | list | tuple):
        several = {key: _loss(each) for key, each in (loss.items() if isinstance(loss, Mapping) else enumerate(loss))}
        names = dict.fromkeys(each["name"] for each in several.values() if each is not None)
        return {"name": ", ".join(names), "config": several}
    loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        return {"name": _snake_case(type(loss).__name__), "config": _told(loss.get_config)}
    return {"name": _name_of(loss), "config": {}}


def _layers(model: keras.Model) -> list[keras.Layer]:
    """All of them, those in nested models and in a user's own layers too."""
    return list(model._flatten_layers(include_self=False))


def _is_norm(layer: keras.Layer) -> bool:
    """By the name of its class, so that a user's own counts; not what only scales the input to a data set."""
    names = [kind.__name__ for kind in type(layer).__mro__ if kind not in keras.Layer.__mro__]
    is_model = isinstance(layer, keras.Model)
    return not is_model and not isinstance(layer, keras.layers.Normalization) and any("Norm" in name for name in names)


def _norm(layer: keras.Layer) -> Setup:
    moving = hasattr(layer, "moving_mean") and hasattr(layer, "moving_variance")
    momentum = getattr(layer, "momentum", None) if moving else None
    return {"layer": layer.name, "kind": type(layer).__name__, "momentum": momentum, "trainable": layer.trainable}


def _is_frozen(layer: keras.Layer) -> bool:
    """Whether it has weights of its own of which none is trained, though they could be."""
    own = list(layer._trainable_variables)
    still = bool(own) and not any(variable.trainable for variable in own)
    return still or (not layer.trainable and bool(own or layer._non_trainable_variables))


def _dropout(layer: keras.Layer) -> float:
    rate = getattr(layer, "rate" if "Dropout" in type(layer).__name__ else "dropout", 0.0)
    return float(rate) if isinstance(rate, Real) else 0.0


def _output_activation(model: keras.Model) -> str | None:
    """That of the last layer; of several outputs only where all have the same."""
    graph = getattr(model, "_functional", None) or model
    outputs = getattr(graph, "outputs", None)
    last = [_maker(tensor) for tensor in outputs] if outputs else model.layers[-1:]
    found = {_activation(layer) for layer in last}
    return found.pop() if len(found) == 1 else None


def _hidden_activations(model: keras.Model) -> dict[str, int] | None:
    """How often each activation comes before the last layer with an activation and weights, which makes the output."""
    operations = list(_operations(model))
    weighted = [place for place, each in enumerate(operations) if getattr(each, "weights", ()) and _activation(each)]
    hidden = operations[: weighted[-1]] if len(weighted) > 1 else []
    found = Counter(activation for each in hidden if (activation := _activation(each)) is not None)
    own = any(
        not type(each).__module__.startswith(("keras.", "unetdyn.")) or hasattr(each, "function") for each in hidden
    )
    return None if own and found.keys() <= {"linear", *_SATURATING} else dict(found) or None


def _operations(model: keras.Model) -> Iterator[Any]:
    """What a model does, in order, with what nested models do; a model whose graph Keras does not know is one of it."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "operations"):
        yield model
        return
    for operation in graph.operations:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        elif not isinstance(operation, keras.layers.InputLayer):
            yield operation


def _largest_penalty(model: keras.Model, kind: str) -> float:
    kernels = [getattr(layer, "kernel", None) for layer in _layers(model)]
    return max((float(getattr(getattr(kernel, "regularizer", None), kind, 0.0)) for kernel in kernels), default=0.0)


def _maker(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _activation(layer: Any) -> str | None:
    if isinstance(layer, keras.Model):
        return _output_activation(layer)
    if type(layer).__name__ in _ACTIVATION_LAYERS:
        return type(layer).__name__.lower()
    if not isinstance(layer, keras.Layer):  # a function of `keras.ops` that was called on a symbolic tensor
        return type(layer).__name__.lower() if hasattr(keras.activations, type(layer).__name__.lower()) else None
    activation = getattr(layer, "activation", None)
    return None if activation is None else _name_of(activation)


def _input_shape(model: keras.Model) -> Any:
    shape = _told(lambda: model.input_shape)
    return shape if shape is not None else model.get_build_config()["input_shape"]


def _output_shape(model: keras.Model) -> Any:
    shape = _told(lambda: model.output_shape)
    return shape if shape is not None else model.compute_output_shape(_input_shape(model))


def _dtype_policy(model: keras.Model) -> str:
    policies = Counter(layer.dtype_policy.name for layer in _layers(model) if layer._trainable_variables)
    return policies.most_common(1)[0][0] if policies else model.dtype_policy.name


def _devices(model: keras.Model) -> list[str]:
    """Where the weights are: of a mirrored or a sharded model on every device."""
    distributed = strategy(model.optimizer)
    if distributed is not None and distributed.num_replicas_in_sync > 1:
        return [_device(name) for name in distributed.extended.worker_devices]
    found = chain.from_iterable(_devices_of(variable.value) for variable in model.variables)
    return sorted({_device(each) for each in found})


def _devices_of(value: Any) -> Iterable[Any]:
    several = getattr(value, "devices", None)  # a method of JAX's arrays
    return several() if callable(several) else [value.device]


def _device(device: Any) -> str:
    """As Keras writes it: `cpu:0`, `gpu:1`."""
    if hasattr(device, "platform"):
        return f"{device.platform}:{device.id}"
    kind, _, number = str(device).rpartition("device:")[2].lower().replace("cuda", "gpu").partition(":")
    return f"{kind}:{number or 0}"


def _name_of(thing: Any) -> str:
    """Of a function or a class its own name, of an object its class's, all written as functions are."""
    return _snake_case(getattr(thing, "__name__", None) or type(thing).__name__)


def _snake_case(name: str) -> str:
    """As Keras names its functions after its classes.

    >>> _snake_case("BinaryCrossentropy"), _snake_case("binary_crossentropy"), _snake_case("<lambda>")
    ('binary_crossentropy', 'binary_crossentropy', '<lambda>')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _plain(value: Any) -> Any:
    """What JSON can hold of it: a configuration may have objects and functions in it."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": _plain(_told(value.get_config))}
    if hasattr(value, "tolist"):
        return _plain(_told(value.tolist))
    return getattr(value, "__name__", None) or type(value).__name__
