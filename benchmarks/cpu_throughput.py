"""Training steps and inference on a CPU: our networks on three backends, against plain PyTorch of the same shape.

    python benchmarks/cpu_throughput.py
    python benchmarks/cpu_throughput.py --net AttentionResUNet --repeats 5
    python benchmarks/cpu_throughput.py --filters 2 --size 32 --batch 2 --steps 1 --repeats 2 --who peer,jax

How it measures. Each has a process of its own with `--threads` threads, which waits at a pipe until it is told to do
one block: `--steps` training steps, or as many predictions. Only one runs at a time, each round has one block of each,
and the order rotates. Keras' blocks are epochs of one long `fit` with focal loss and a thresholded Jaccard, fed from
the host, as somebody would train; predictions are `predict_on_batch`. A ratio is that of a block to the peer's of the
same round: median and quartiles. `cpu` are the seconds of all threads together, a step: on a machine that does other
work too, they tell more than the clock. Peaks are those of the processes.

`--who ...,torch_compiled` adds our network on PyTorch after `compile_forward`, `peer_compiled` the peer compiled.
`--who ...,keras_unet_collection` adds the `unet_2d` of that package, with the same levels, batch norm and upsampling,
on TensorFlow, where it is installed. It has more weights than ours.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

COMPILED = "torch_compiled"
KERAS = {
    "tensorflow": ("tensorflow", {}, {}),
    "tensorflow_xla": ("tensorflow", {"jit_compile": True}, {}),
    "tensorflow_plain": ("tensorflow", {}, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "jax": ("jax", {}, {}),
    "torch": ("torch", {}, {}),
    COMPILED: ("torch", {}, {}),
    "keras_unet_collection": ("tensorflow", {}, {}),
}
"""By name: the backend, what `compile` is told, and the environment."""
OTHERS = ("keras_unet_collection",)
PEERS = ("peer", "peer_compiled")
DEFAULT = "peer,tensorflow,tensorflow_xla,tensorflow_plain,jax,torch"


def environment(name: str, threads: int) -> dict[str, str]:
    """Of a child: as many threads for each of the libraries, whatever it calls them."""
    backend, _, more = KERAS.get(name, ("torch", {}, {}))
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(threads))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
    return {**os.environ, **counts, **quiet, **more}


def batch_of(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.batch, options.size, options.size, 1)).astype("float32")
    return x, (rng.random(x.shape) < 0.2).astype("float32")


def network(options: argparse.Namespace) -> Any:
    """A Keras model, not compiled."""
    shape = (options.size, options.size, 1)
    if options.child in OTHERS:
        from keras_unet_collection import models as others

        levels = [options.filters * 2**level for level in range(5)]
        kinds = {"batch_norm": True, "pool": "max", "unpool": "nearest", "output_activation": "Sigmoid"}
        return others.unet_2d(shape, levels, n_labels=1, **kinds)
    from unetdyn import models

    model = getattr(models, options.net)(shape, filters=options.filters, depth=4)
    return models.compile_forward(model) if options.child == COMPILED else model


class Orders:
    """The child's end of the pipe."""

    def next(self) -> str:
        """ "train", "predict", or nothing when it is over."""
        return sys.stdin.readline().strip()

    def timed(self, block: Callable[[], None]) -> None:
        """Do it, and tell how long it took."""
        self.begin()
        block()
        self.end()

    def begin(self) -> None:
        self.started, self.worked = time.perf_counter(), time.process_time()

    def end(self) -> None:
        self.tell(seconds=time.perf_counter() - self.started, cpu=time.process_time() - self.worked)

    def tell(self, **values: Any) -> None:
        print(json.dumps(values), file=sys.__stdout__, flush=True)

    def peak(self) -> int:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peer_child(options: argparse.Namespace, orders: Orders) -> None:
    import torch
    from throughput_cases.torch_peer import KINDS, UNet, trainer

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = UNet(options.filters, depth=4, **KINDS[options.net])
    step = trainer(model, half=False, compiled=options.child == "peer_compiled")
    x, y = batch_of(options)

    def tensor(array: np.ndarray) -> torch.Tensor:  # from the host each time, as `fit` has it
        return torch.from_numpy(array.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)

    def train() -> None:
        for _ in range(options.steps):
            step(tensor(x), tensor(y))

    def predict() -> None:
        model.eval()
        with torch.inference_mode():
            for _ in range(options.steps):
                torch.sigmoid(model(tensor(x))).numpy()
        model.train()

    train()
    predict()
    orders.tell(weights=sum(each.numel() for each in model.parameters()))
    while order := orders.next():
        orders.timed(train if order == "train" else predict)
    orders.tell(peak=orders.peak())


def keras_child(options: argparse.Namespace, orders: Orders) -> None:
    import keras
    from tap_overhead import feed, synchronise

    from unetdyn.losses import BinaryFocalLoss
    from unetdyn.metrics import ThresholdedJaccard

    backend, compiled, _ = KERAS[options.child]
    if backend == "torch":
        import torch

        torch.set_num_threads(options.threads)
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(options.inter or options.threads)
    keras.utils.set_random_seed(0)
    x, y = batch_of(options)
    model = network(options)
    model.compile(keras.optimizers.Adam(), BinaryFocalLoss(gamma=2), metrics=[ThresholdedJaccard()], **compiled)

    def predict() -> None:
        for _ in range(options.steps):
            model.predict_on_batch(x)

    class Blocks(keras.callbacks.Callback):
        """An epoch is a block; between two it predicts where it is told to."""

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
            if epoch == 0:
                return
            if epoch == 1:
                predict()
                orders.tell(weights=sum(int(np.prod(each.shape)) for each in model.trainable_variables))
            while (order := orders.next()) == "predict":
                orders.timed(predict)
            self.over = not order
            orders.begin()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:  # noqa: ARG002
            if getattr(self, "over", False):
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
            synchronise(self.model)
            if epoch and not self.over:
                orders.end()

    model.fit(feed(x, y), steps_per_epoch=options.steps, epochs=10**6, callbacks=[Blocks()], shuffle=False, verbose=0)
    orders.tell(peak=orders.peak())


class Child:
    """A process that does blocks when it is told to."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        keys = ("net", "filters", "size", "batch", "steps", "threads", "inter")
        size = [f"--{key}={getattr(options, key)}" for key in keys]
        command = [sys.executable, str(Path(__file__).resolve()), "--child", name, *size]
        self.name, self.found = name, {"train": [], "predict": []}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(name, options.threads)
        )
        self.weights = self._answer()["weights"]

    def do(self, order: str) -> None:
        """One block."""
        self._send(f"{order}\n")
        self.found[order].append(self._answer())

    def close(self) -> int:
        """End it; its peak in bytes."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        peak = self._answer()["peak"]
        self.process.wait()
        return peak

    def _send(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.name} ended with exit code {self.process.wait()}; what it said is above")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All in turns."""
    children = [Child(name, options) for name in options.who]  # one after another, each when the last is compiled
    for turn, order in itertools.product(range(options.repeats), ("train", "predict")):
        shift = turn % len(children)
        for child in [*children[shift:], *children[:shift]]:
            child.do(order)
    return {child.name: {"weights": child.weights, "blocks": child.found, "peak": child.close()} for child in children}


def line(name: str, found: dict[str, Any], reference: dict[str, Any] | None, steps: int) -> str:
    """Of one child: milliseconds a step and their ratio to the reference's, for training and inference."""
    parts = [f"{name:<17}"]
    for order in ("train", "predict"):
        for kind in ("seconds", "cpu"):
            values = [block[kind] for block in found["blocks"][order]]
            parts.append(f"{1e3 * np.median(values) / steps:8.1f}")
            if reference is not None:
                others = [block[kind] for block in reference["blocks"][order]]
                low, middle, high = np.percentile(np.divide(others, values), [25, 50, 75])
                parts.append(f"{middle:5.2f} ({low:.2f}-{high:.2f})")
    return " ".join([*parts, f"{found['peak'] / 1e6:7.0f}"])


def table(found: dict[str, Any], steps: int) -> str:
    """Lines to print: above 1 is faster than the peer."""
    reference = found.get("peer")
    width = 8 if reference is None else 26
    heads = ("train ms", "its cpu", "predict ms", "its cpu")
    lines = [" ".join([f"{'':<17}", *(f"{head:<{width}}" for head in heads), "  MB"])]
    return "\n".join(lines + [line(name, each, reference, steps) for name, each in found.items()])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Our networks on a CPU, against plain PyTorch of the same shape.")
    parser.add_argument("--net", choices=["UNet", "AttentionResUNet"], default="UNet")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6, help="steps of one block")
    parser.add_argument("--repeats", type=int, default=7, help="rounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--inter", type=int, default=0, help="TensorFlow's operations at once; 0: as many as threads")
    parser.add_argument("--who", default=DEFAULT, help=f"of {', '.join([*PEERS, *KERAS])}, with commas")
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.who = options.who.split(",")
    unknown = set(options.who) - {*PEERS, *KERAS}
    if options.net != "UNet" and set(options.who) & set(OTHERS):
        parser.error(f"--net must be UNet with {', '.join(OTHERS)}. Received: --net {options.net}")
    if unknown:
        parser.error(f"--who knows {', '.join([*PEERS, *KERAS])}. Received: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    options = parse()
    if options.child:
        (peer_child if options.child in PEERS else keras_child)(options, Orders())
        return
    found = measure(options)
    if len({each["weights"] for name, each in found.items() if name not in OTHERS}) > 1:
        weights = {name: each["weights"] for name, each in found.items()}
        raise RuntimeError(f"not the same network: {weights} weights")
    told = {key: value for key, value in vars(options).items() if key not in ("child", "json")}
    print(f"{told}, load {os.getloadavg()[0]:.1f}")
    print(table(found, options.steps))
    if options.json:
        options.json.write_text(json.dumps({"options": told, "found": found}, indent=1))


if __name__ == "__main__":
    main()
