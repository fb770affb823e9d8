"""Which way to compute a decoder's first convolution is fastest: that of an upsampled map joined with a skip?

    KERAS_BACKEND=jax python benchmarks/decoder_ways.py --filters 16 --size 128 --batch 8
    KERAS_BACKEND=jax python benchmarks/decoder_ways.py --filters 64 --size 256 --batch 16 --precision bfloat16

At each of four levels a coarse map of 2c channels is doubled (nearest), joined with a skip of c channels, and convolved
to c with one 3×3 kernel. All ways below give the same numbers, to rounding, from the same kernel (h, w, 3c, c):

- `concat`: as the graph says, 27c² products a pixel.
- `apart`: both maps are convolved with their part of the kernel and added, so that nothing is joined; 27c².
- `phases`: where the coarse map is doubled, a 3×3 window sees 2×2 of its pixels, at four positions: four 2×2
  convolutions of the coarse map with sums of the kernel's entries, interleaved; 17c².
- `one`: the four as one 2×2 convolution with 4c outputs, of which shifted parts are taken; 17c².
- `differences`: along an axis, out[2i] = S x[i] - k₀ (x[i] - x[i-1]) and out[2i+1] = S x[i] + k₂ (x[i+1] - x[i]) with
  S = k₀ + k₁ + k₂: nine products for four pixels, as four 1×1 convolutions of x and its differences; 13.5c².

The sums of all levels, forward and forward with backward, interleaved: the median of the repeats, and the median of the
ratios to `concat` with quartiles. `--errors` compares with float64 instead: the largest error over the largest value,
of the outputs and of the kernel's gradient.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

Way = Callable[[Any, Any, Any], Any]


def convolve(x: Any, kernel: Any, padding: str = "valid") -> Any:
    return ops.conv(x, kernel, padding=padding, data_format="channels_last")


def doubled(x: Any) -> Any:
    b, h, w, c = x.shape
    return ops.reshape(ops.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c)), (b, 2 * h, 2 * w, c))


def interleaved(parts: list[list[Any]]) -> Any:
    """The map whose pixels (2i + a, 2j + b) are `parts[a][b]`."""
    b, h, w, c = parts[0][0].shape
    rows = [ops.stack(row, 3) for row in parts]
    return ops.reshape(ops.stack(rows, 2), (b, 2 * h, 2 * w, c))


def ringed(x: Any) -> Any:
    return ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def summed(kernel: Any, axis: int) -> list[Any]:
    """What the two pixels of a pair see of three entries along an axis: (k₀, k₁ + k₂) and (k₀ + k₁, k₂)."""
    first, middle, last = ops.split(kernel, 3, axis)
    return [ops.concatenate([first, middle + last], axis), ops.concatenate([first + middle, last], axis)]


def phase_kernels(kernel: Any) -> list[list[Any]]:
    return [summed(rows, 1) for rows in summed(kernel, 0)]


def concat(coarse: Any, skip: Any, kernel: Any) -> Any:
    return convolve(ops.concatenate([doubled(coarse), skip], -1), kernel, "same")


def apart(coarse: Any, skip: Any, kernel: Any) -> Any:
    n = coarse.shape[-1]
    return convolve(doubled(coarse), kernel[:, :, :n], "same") + convolve(skip, kernel[:, :, n:], "same")


def phases(coarse: Any, skip: Any, kernel: Any) -> Any:
    _, h, w, n = coarse.shape
    kernels, wide = phase_kernels(kernel[:, :, :n]), ringed(coarse)
    parts = [[convolve(wide[:, a : a + h + 1, b : b + w + 1], kernels[a][b]) for b in (0, 1)] for a in (0, 1)]
    return interleaved(parts) + convolve(skip, kernel[:, :, n:], "same")


def one(coarse: Any, skip: Any, kernel: Any) -> Any:
    _, h, w, n = coarse.shape
    kernels = phase_kernels(kernel[:, :, :n])
    y = ops.split(convolve(ringed(coarse), ops.concatenate([*kernels[0], *kernels[1]], -1)), 4, -1)
    parts = [[y[2 * a + b][:, a : a + h, b : b + w] for b in (0, 1)] for a in (0, 1)]
    return interleaved(parts) + convolve(skip, kernel[:, :, n:], "same")


def differences(coarse: Any, skip: Any, kernel: Any) -> Any:
    _, h, w, n = coarse.shape
    k, c = kernel[:, :, :n], kernel.shape[-1]
    wide = ringed(coarse)
    down, right = wide[:, 1:] - wide[:, :-1], wide[:, :, 1:] - wide[:, :, :-1]  # x[i] - x[i-1], rows and columns
    both = down[:, :, 1:] - down[:, :, :-1]
    s, rows, columns = ops.sum(k, (0, 1)), ops.sum(k, 1), ops.sum(k, 0)

    def product(x: Any, kernels: list[Any]) -> list[Any]:
        y = ops.matmul(ops.reshape(x, (-1, n)), ops.concatenate(kernels, -1))
        return ops.split(ops.reshape(y, (*x.shape[:3], len(kernels) * c)), len(kernels), -1)

    (plain,) = product(coarse, [s])
    by_row = product(down[:, :, 1:-1], [-rows[0], rows[2]])
    by_column = product(right[:, 1:-1], [-columns[0], columns[2]])
    corners = product(both, [k[0, 0], -k[0, 2], -k[2, 0], k[2, 2]])
    parts = [
        [
            plain
            + by_row[i][:, i : i + h]
            + by_column[j][:, :, j : j + w]
            + corners[2 * i + j][:, i : i + h, j : j + w]
            for j in (0, 1)
        ]
        for i in (0, 1)
    ]
    return interleaved(parts) + convolve(skip, kernel[:, :, n:], "same")


WAYS: dict[str, Way] = {way.__name__: way for way in (concat, apart, phases, one, differences)}


def compiled(way: Way, jit: bool) -> tuple[Callable, Callable]:
    """What gives the output, and the gradients of a weighted sum of it, as a training step would compile them."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        def weighted(*values: Any) -> Any:
            return ops.sum(way(*values[:-1]) * values[-1])

        return jax.jit(way), jax.jit(jax.grad(weighted, argnums=(0, 1, 2)))
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=jit)
        def gradients(*values: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(values[:-1])
                y = way(*values[:-1])
            return tape.gradient(y, values[:-1], output_gradients=values[-1])

        return tf.function(way, jit_compile=jit), gradients
    import torch

    def backward(*values: Any) -> Any:
        leaves = [value.detach().requires_grad_() for value in values[:-1]]
        return torch.autograd.grad(way(*leaves), leaves, values[-1])

    return torch.no_grad()(way), backward


def finish(result: Any) -> None:
    """Wait until the device has computed it."""
    last = result[-1] if isinstance(result, tuple | list) else result
    if keras.backend.backend() == "jax":
        last.block_until_ready()
    else:
        ops.convert_to_numpy(ops.ravel(last)[:1])


def level_arrays(options: argparse.Namespace, level: int) -> list[np.ndarray]:
    """Coarse map, skip, kernel (of He's variance) and the output's weights."""
    rng = np.random.default_rng(level)
    c, size = options.filters * 2**level, options.size // 2**level
    shapes = [(size // 2, size // 2, 2 * c), (size, size, c), (size, size, c)]
    coarse, skip, weights = (rng.normal(size=(options.batch, *shape)) for shape in shapes)
    return [coarse, skip, rng.normal(size=(3, 3, 3 * c, c)) * (2 / (27 * c)) ** 0.5, weights]


def seconds(function: Callable, values: list[Any], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        result = function(*values)
    finish(result)
    return (time.perf_counter() - start) / steps


def measure(options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Way → (forward, forward and backward) × repeats, in seconds, summed over levels."""
    total = {name: np.zeros((2, options.repeats)) for name in options.ways}
    for level in range(4):
        values = [ops.convert_to_tensor(x, options.precision) for x in level_arrays(options, level)]
        pairs = {name: compiled(WAYS[name], options.jit) for name in options.ways}
        calls = [(name, kind) for kind in (0, 1) for name in options.ways]
        for repeat in range(-1, options.repeats):  # the first one compiles
            for name, kind in calls[repeat % len(calls) :] + calls[: repeat % len(calls)]:
                spent = seconds(pairs[name][kind], values[: 3 + kind], options.steps)
                if repeat >= 0:
                    total[name][kind, repeat] += spent
    return total


def table(total: dict[str, np.ndarray]) -> str:
    lines = [
        f"{'way':<12} {'forward ms':>11} {'ratio':>7} {'quartiles':>13} {'and back':>9} {'ratio':>7} {'quartiles':>13}"
    ]
    for name, spent in total.items():
        line = f"{name:<12}"
        for kind, width in ((0, 11), (1, 9)):
            low, middle, high = np.percentile(spent[kind] / total["concat"][kind], [25, 50, 75])
            line += f" {1e3 * np.median(spent[kind]):{width}.3f} {middle:7.3f} {low:6.3f}-{high:.3f}"
        lines.append(line)
    return "\n".join(lines)


def errors(options: argparse.Namespace) -> str:
    """Largest error over largest value, against the first way in double precision, of the worst level."""
    found = {name: np.zeros(2) for name in options.ways}
    for level in range(4):
        arrays = level_arrays(options, level)
        rounded = [ops.convert_to_tensor(x, options.precision) for x in arrays]
        exact = [ops.cast(x, "float64") for x in rounded]
        want = run(concat, exact)
        for name in options.ways:
            got = run(WAYS[name], rounded)
            wrong = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(got, want, strict=True)]
            found[name] = np.maximum(found[name], wrong)
    return "\n".join(
        [f"{'way':<12} {'output':>9} {'gradient':>9}"] + [f"{n:<12} {a:9.2e} {b:9.2e}" for n, (a, b) in found.items()]
    )


def run(way: Way, values: list[Any]) -> list[np.ndarray]:
    forward, backward = compiled(way, jit=False)
    results = [forward(*values[:3]), backward(*values)[2]]
    return [ops.convert_to_numpy(ops.cast(x, "float64")) for x in results]


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to compute a decoder's first convolution.")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="pixels a side, of the finest level")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5, help="calls of one measurement")
    parser.add_argument("--repeats", type=int, default=9, help="measurements of each way")
    parser.add_argument("--precision", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of the default, with commas; `concat` first")
    parser.add_argument("--jit", action="store_true", help="TensorFlow: compiled by XLA, as `fit` has it")
    parser.add_argument("--errors", action="store_true", help="errors against float64, no times")
    options = parser.parse_args()
    options.ways = options.ways.split(",")
    if options.errors and keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    print(errors(options) if options.errors else table(measure(options)))


if __name__ == "__main__":
    main()
