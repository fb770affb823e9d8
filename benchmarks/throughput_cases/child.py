"""One network in one framework: says `ready`, then times a block of steps, or a matrix product, whenever it is told."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def say(**what: Any) -> None:
    print("@" + json.dumps(what), flush=True)


def serve(
    block: Callable[[], float], matmul: Callable[[int], Callable[[], Any]], memory: Callable[[], int], **known: Any
):
    """Answer until the pipe is closed: `go` with ms a step, `ceiling` with TFLOP/s, `memory` with MiB."""
    say(ready=True, **known)
    for line in sys.stdin:
        if line.strip() == "go":
            say(ms=block())
        elif line.strip().startswith("ceiling"):
            say(tflops=_ceiling(matmul, int(line.split()[1])))
        else:
            say(mib=memory() / 2**20)


def _ceiling(matmul: Callable[[int], Callable[[], Any]], side: int, times: int = 5) -> float:
    """Of a square product of this side, ten at a time: the best of some."""
    ten = matmul(side)
    ten()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        ten()
        seconds.append(time.perf_counter() - began)
    return 10 * 2 * side**3 / min(seconds) / 1e12


def ours(options: dict[str, Any]) -> None:
    """A builder's model in `fit`, of one batch that lies on the device; each epoch is a block."""
    os.environ["KERAS_BACKEND"] = options["framework"].split("-")[0]
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    import keras

    from throughput_cases.arithmetic import forward_flops
    from unetdyn import models
    from unetdyn.losses import BinaryFocalLoss
    from unetdyn.metrics import ThresholdedJaccard

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(options["precision"])
    name, _, upsample = options["model"].partition(":")
    size, batch = options["size"], options["batch"]
    model = getattr(models, name)(
        (size, size, 1), filters=options["filters"], depth=options["depth"], upsample=upsample or "nearest"
    )
    if options["framework"].endswith("-compiled"):
        model = models.compile_forward(model)
    model.compile(keras.optimizers.Adam(1e-3), BinaryFocalLoss(2.0), metrics=[ThresholdedJaccard()])
    x = keras.ops.convert_to_tensor(np.random.default_rng(0).normal(size=(batch, size, size, 1)).astype("float32"))
    y = keras.ops.cast(x > 0, "float32")

    class Same(keras.utils.PyDataset):
        def __len__(self) -> int:
            return options["steps"]

        def __getitem__(self, _place: int) -> Any:
            return x, y

    data: Any = Same()
    if keras.backend.backend() == "tensorflow":  # whose `fit` would bring a PyDataset's batches from the host
        import tensorflow as tf

        data = tf.data.Dataset.from_tensors((x, y)).repeat(options["steps"])

    def block() -> float:
        began = time.perf_counter()
        model.fit(data, epochs=1, shuffle=False, verbose=0)
        keras.ops.convert_to_numpy(model.trainable_variables[-1])
        return (time.perf_counter() - began) / options["steps"] * 1e3

    block()
    block()
    serve(block, MATMUL[keras.backend.backend()], MEMORY[keras.backend.backend()], flops=forward_flops(model, batch))


def peer(options: dict[str, Any]) -> None:
    """The same in plain PyTorch."""
    import torch

    from throughput_cases.torch_peer import KINDS, UNet, trainer

    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    name, _, upsample = options["model"].partition(":")
    kind = {**KINDS[name], "transpose": upsample == "transpose"}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size, batch, half = options["size"], options["batch"], "bfloat16" in options["precision"]
    network = _monai(options) if options["framework"] == "monai" else UNet(options["filters"], options["depth"], **kind)
    x = torch.randn(batch, 1, size, size, device=device).contiguous(memory_format=torch.channels_last)
    y = (x > 0).float()
    step = trainer(network.to(device), half, compiled=options["framework"] != "torch-peer-eager")

    def block() -> float:
        began = time.perf_counter()
        for _ in range(options["steps"]):
            loss = step(x, y)
        loss.item()
        next(network.parameters()).detach().flatten()[0].item()
        return (time.perf_counter() - began) / options["steps"] * 1e3

    block()
    block()
    serve(block, MATMUL["torch"], MEMORY["torch"], parameters=sum(each.numel() for each in network.parameters()))


def _monai(options: dict[str, Any]) -> Any:
    from monai.networks.nets import AttentionUnet, BasicUNet

    widths = [options["filters"] * 2**level for level in range(options["depth"] + 1)]
    if options["model"] == "UNet":
        return BasicUNet(2, 1, 1, features=(*widths, options["filters"]), norm="batch", act="relu")
    return AttentionUnet(2, 1, 1, widths, [2] * options["depth"])


def _torch_matmul(side: int) -> Callable[[], Any]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.randn(side, side, device=device).to(torch.bfloat16)

    def ten() -> None:
        for _ in range(10):
            c = a @ a
        c[0, 0].item()

    return ten


def _jax_matmul(side: int) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    a = jax.random.normal(jax.random.key(0), (side, side)).astype(jnp.bfloat16)
    product = jax.jit(lambda a: a @ a)

    def ten() -> None:
        jax.block_until_ready([product(a) for _ in range(10)][-1])

    return ten


def _tensorflow_matmul(side: int) -> Callable[[], Any]:
    import tensorflow as tf

    a = tf.cast(tf.random.normal((side, side)), tf.bfloat16)

    def ten() -> None:
        for _ in range(10):
            c = tf.matmul(a, a)
        c[0, 0].numpy()

    return ten


def _process() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _jax_memory() -> int:
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use") or _process()


def _torch_memory() -> int:
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _process()


def _tensorflow_memory() -> int:
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if cards else _process()


MATMUL = {"jax": _jax_matmul, "torch": _torch_matmul, "tensorflow": _tensorflow_matmul}
MEMORY = {"jax": _jax_memory, "torch": _torch_memory, "tensorflow": _tensorflow_memory}
