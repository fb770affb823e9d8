"""Small models and data for the tests of the optimizer tap."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def conv_model(policy: str = "float32") -> keras.Model:
    """A convolution, a norm and a dense layer, the same weights at every call."""
    keras.utils.set_random_seed(7)
    kwargs = {"dtype": policy}
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 3, activation="tanh", name="conv", **kwargs)(inputs)
    x = keras.layers.BatchNormalization(name="norm", **kwargs)(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(1, dtype="float32", name="dense")(x))


def dense_model() -> keras.Model:
    """Linear, so that gradients and updates have a closed form."""
    keras.utils.set_random_seed(7)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def conv_data(samples: int = 24) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(samples, 4, 4, 2)).astype("float32")
    return x, rng.normal(size=(samples, 1)).astype("float32")


def dense_data(samples: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(samples, 3)).astype("float32")
    return x, rng.normal(size=(samples, 1)).astype("float32")


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in model.variables]


def optimizer_state(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in model.optimizer.variables]


def fit(model: keras.Model, data: tuple[np.ndarray, np.ndarray], **kwargs: Any) -> None:
    """`fit` without shuffling, four samples a batch."""
    model.fit(*data, **({"batch_size": 4, "epochs": 1, "verbose": 0, "shuffle": False} | kwargs))


def assert_same_weights(left: list[np.ndarray], right: list[np.ndarray], rounding: bool = False) -> None:
    """Bit-equal; on JAX, and where asked, up to rounding: XLA may fuse a larger program otherwise."""
    for a, b in zip(left, right, strict=True):
        if rounding or keras.backend.backend() == "jax":
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)
        else:
            np.testing.assert_array_equal(a, b)


def gradients(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The gradient of the model's mean squared error by a second pass, in training mode."""
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()](model, x, y)


def _tensorflow(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
    return [g.numpy() for g in tape.gradient(loss, [v.value for v in model.trainable_variables])]


def _jax(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    state = ([v.value for v in variables] for variables in (model.trainable_variables, model.non_trainable_variables))
    return [np.array(g) for g in _jax_gradient(model)(*state, x, y)]


@functools.lru_cache(maxsize=1)
def _jax_gradient(model: keras.Model) -> Any:
    import jax

    def loss(trainable: list, others: list, x: Any, y: Any) -> Any:
        out, _ = model.stateless_call(trainable, others, x, training=True)
        return ((out - y) ** 2).mean()

    return jax.jit(jax.grad(loss))


def _torch(model: keras.Model, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    model.zero_grad()
    loss = ((model(x, training=True) - keras.ops.convert_to_tensor(y)) ** 2).mean()
    loss.backward()
    return [v.value.grad.numpy(force=True).copy() for v in model.trainable_variables]


def brute_force(model: keras.Model, data: tuple[np.ndarray, np.ndarray], batch: int = 4) -> dict[str, np.ndarray]:
    """Sums of squares `(steps, variables)` of what `second_passes` gives."""
    steps = second_passes(model, data, batch)
    return {
        "grad": np.array([[squares(g) for g in step] for step, _, _ in steps]),
        "weight": np.array([[squares(w) for w in before] for _, before, _ in steps]),
        "update": np.array(
            [[squares(b.astype("float64") - a) for a, b in zip(*weights, strict=True)] for _, *weights in steps]
        ),
    }


def second_passes(
    model: keras.Model, data: tuple[np.ndarray, np.ndarray], batch: int = 4
) -> list[tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]]:
    """Step by step with `train_on_batch`: gradients by a second pass, weights before and after."""
    steps = []
    for start in range(0, len(data[0]), batch):
        x, y = (part[start : start + batch] for part in data)
        before, state = weights_of_trainable(model), weights_of(model)
        found = gradients(model, x, y)
        for variable, value in zip(model.variables, state, strict=True):
            variable.assign(value)  # the second pass moved batch norm's statistics
        model.train_on_batch(x, y)
        steps.append((found, before, weights_of_trainable(model)))
    return steps


def weights_of_trainable(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in model.trainable_variables]


def squares(array: np.ndarray) -> float:
    return float(np.sum(np.square(array.astype("float64"))))


class Batches:
    """A callback that calls `action(batch)` at the end of each batch."""

    def __new__(cls, action: Callable[[int], None]) -> keras.callbacks.Callback:
        return keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: action(batch))
