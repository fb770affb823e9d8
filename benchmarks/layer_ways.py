"""What do our layers save of a training step, each by itself and all together, over Keras' own?

    KERAS_BACKEND=jax python benchmarks/layer_ways.py --filters 64 --size 256 --batch 16 --precision mixed_bfloat16
    KERAS_BACKEND=jax python benchmarks/layer_ways.py --model UNet:transpose --which keras,Conv2DTranspose,ours

A builder's model is made of layers that have the names of Keras' own and compute as they do
(`models/jax_layers.py`, `tensorflow_layers.py`, `torch_layers.py`, `transposed.py`). `ours` is the model as built;
`keras` has Keras' own layers in place of all of them; the name of a layer stands for a model in which that one is ours
and the others are Keras'. By default `keras`, each, and `ours`. All have equal weights, and their losses at the start
are printed.

A block is `--steps` training steps on one batch that lies on the device; blocks are interleaved, and the ratio to the
first is the median over blocks, with quartiles. `cpu` are the seconds of all threads together, a step, which tell more
than the clock where a machine does other work too. Adam, focal loss.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from unetdyn import models
from unetdyn.losses import BinaryFocalLoss

Step = Callable[[], Any]


def batch_of(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.batch, options.size, options.size, 1)).astype("float32")
    return x, (rng.random(x.shape) < 0.2).astype("float32")


def built(options: argparse.Namespace) -> keras.Model:
    name, _, upsample = options.model.partition(":")
    shape = (options.size, options.size, 1)
    return getattr(models, name)(shape, filters=options.filters, upsample=upsample or "nearest", seed=0)


def own_layers(model: keras.Model) -> list[str]:
    """Names of the layers that are Keras' by name only."""
    found = {type(each) for each in model._flatten_layers()}
    return sorted(each.__name__ for each in found if each.__module__ == keras.layers.__name__)


def with_own(model: keras.Model, kept: Sequence[str]) -> keras.Model:
    """The same model and weights, with Keras' layers in place of ours but for those that are `kept`."""
    described = json.dumps(keras.saving.serialize_keras_object(model))
    for name in set(own_layers(model)) - set(kept):
        described = described.replace(f'"registered_name": "{name}"', '"registered_name": null')
    found = keras.saving.deserialize_keras_object(json.loads(described))
    found.set_weights(model.get_weights())
    assert own_layers(found) == sorted(kept)
    return found


def step_of(model: keras.Model, options: argparse.Namespace) -> Step:
    """One training step, whose result is the loss; Keras' own train function."""
    model.compile(keras.optimizers.Adam(), BinaryFocalLoss(2.0))
    x, y = (keras.ops.convert_to_tensor(array) for array in batch_of(options))
    if keras.backend.backend() != "jax":
        return lambda: model.train_on_batch(x, y)
    import jax

    model.optimizer.build(model.trainable_variables)
    function = jax.jit(model.train_step, donate_argnums=0)
    kept = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([variable.value for variable in variables] for variables in kept)

    def step() -> Any:
        nonlocal state
        logs, state = function(state, (x, y))
        return logs["loss"]

    return step


def block(step: Step, steps: int) -> tuple[float, float, float]:
    """Seconds a step by the clock and of all threads, and the last loss, for which it waits."""
    clock, threads = time.perf_counter(), time.process_time()
    for _ in range(steps):
        loss = step()
    loss = float(loss)
    return (time.perf_counter() - clock) / steps, (time.process_time() - threads) / steps, loss


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step with our layers and Keras'.")
    parser.add_argument("--model", default="UNet", help="a builder, or as UNet:transpose")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each")
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="float32")
    parser.add_argument("--which", help="by default keras, each of our layers, and ours; ratios are to the first")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.precision)
    model = built(options)
    own = own_layers(model)
    names = options.which.split(",") if options.which else ["keras", *own, "ours"]
    kept = {"keras": [], "ours": own}
    steps = {name: step_of(with_own(model, kept.get(name, [name])), options) for name in names}
    for name in names:
        print(f"{name}: loss {block(steps[name], 1)[2]:.6f} at the start")
    spent: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for repeat in range(options.repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            spent[name].append(block(steps[name], options.steps))
    print(f"{'which':<18} {'ms/step':>9} {'cpu':>9} {'ratio':>7} {'quartiles':>13}")
    first = np.array(spent[names[0]])
    for name, found in spent.items():
        clock, threads, _ = np.median(found, axis=0)
        low, middle, high = np.percentile(np.array(found)[:, 0] / first[:, 0], [25, 50, 75])
        print(f"{name:<18} {1e3 * clock:9.2f} {1e3 * threads:9.1f} {middle:7.3f} {low:6.3f}-{high:.3f}")


if __name__ == "__main__":
    main()
