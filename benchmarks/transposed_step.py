"""What does a training step of the paper's U-Net take with Keras' transposed convolutions, with ours, and in PyTorch?

    KERAS_BACKEND=jax python benchmarks/transposed_step.py --filters 64 --size 256 --batch 16 --precision mixed_bfloat16
    KERAS_BACKEND=torch python benchmarks/transposed_step.py --filters 64 --size 256 --batch 16 \
        --precision mixed_bfloat16 --which peer

`keras` is `UNet(upsample="transpose")` with Keras' own layers in the place of ours, `ours` is as it is built; both have
equal weights, and the losses at the start are printed. `peer`, which wants PyTorch, is the plain PyTorch network of the
same shape (`throughput_cases/torch_peer.py`), compiled where there is a GPU. Adam, focal loss.

A block is `--steps` training steps on one batch that lies on the device; blocks are interleaved, and the ratio is the
median over blocks, with quartiles. `cpu` are the seconds of all threads together, a step, which tell more than the
clock where a machine does other work too.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from unetdyn.losses import BinaryFocalLoss
from unetdyn.models import UNet

Step = Callable[[], Any]


def batch_of(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.batch, options.size, options.size, 1)).astype("float32")
    return x, (rng.random(x.shape) < 0.2).astype("float32")


def networks(options: argparse.Namespace) -> dict[str, keras.Model]:
    """Ours, and with the layers that its configuration names if they are taken for Keras' own."""
    ours = UNet((options.size, options.size, 1), filters=options.filters, upsample="transpose", seed=0)
    described = json.dumps(keras.saving.serialize_keras_object(ours))
    plain = described.replace('"registered_name": "Conv2DTranspose"', '"registered_name": null')
    theirs = keras.saving.deserialize_keras_object(json.loads(plain))
    theirs.set_weights(ours.get_weights())
    return {"keras": theirs, "ours": ours}


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


def peer(options: argparse.Namespace) -> Step:
    import torch
    from throughput_cases.torch_peer import UNet as Peer
    from throughput_cases.torch_peer import trainer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Peer(options.filters, depth=4, transpose=True).to(device)
    step = trainer(model, half=options.precision == "mixed_bfloat16", compiled=device == "cuda")
    batch = [torch.tensor(array).permute(0, 3, 1, 2).to(device) for array in batch_of(options)]
    return lambda: step(*batch)


def block(step: Step, steps: int) -> tuple[float, float, float]:
    """Seconds a step by the clock and of all threads, and the last loss, for which it waits."""
    clock, threads = time.perf_counter(), time.process_time()
    for _ in range(steps):
        loss = step()
    loss = float(loss)
    return (time.perf_counter() - clock) / steps, (time.process_time() - threads) / steps, loss


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step with transposed convolutions, three ways.")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each")
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="float32")
    parser.add_argument("--which", default="keras,ours", help="these, or `peer`; ratios are to the first")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.precision)
    names = options.which.split(",")
    models = networks(options) if {"keras", "ours"} & set(names) else {}
    steps = {name: peer(options) if name == "peer" else step_of(models[name], options) for name in names}
    for name in names:
        print(f"{name}: loss {block(steps[name], 1)[2]:.6f} at the start")
    spent: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for repeat in range(options.repeats):
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            spent[name].append(block(steps[name], options.steps))
    print(f"{'which':<6} {'ms/step':>9} {'cpu':>9} {'ratio':>7} {'quartiles':>13}")
    first = np.array(spent[names[0]])
    for name, found in spent.items():
        clock, threads, _ = np.median(found, axis=0)
        low, middle, high = np.percentile(np.array(found)[:, 0] / first[:, 0], [25, 50, 75])
        print(f"{name:<6} {1e3 * clock:9.2f} {1e3 * threads:9.1f} {middle:7.3f} {low:6.3f}-{high:.3f}")


if __name__ == "__main__":
    main()
