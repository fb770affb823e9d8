"""How much memory and time does `predict_tiled` take, and are there seams? Figures in docs/prediction.md.

    KERAS_BACKEND=jax python benchmarks/tiled_prediction.py size --sides 625 1250 2500 5000 10000 20000 --save a.json
    KERAS_BACKEND=jax python benchmarks/tiled_prediction.py volume --sides 64 128 256 --save b.json
    KERAS_BACKEND=jax python benchmarks/tiled_prediction.py seams
    KERAS_BACKEND=jax python benchmarks/tiled_prediction.py around
    KERAS_BACKEND=jax python benchmarks/tiled_prediction.py busy --sides 6144 --precision mixed_bfloat16
    python benchmarks/tiled_prediction.py plot a.json b.json --save prediction.png

How it measures. Each size has a process of its own, with a network of two 3×3 convolutions (4 filters), which costs
little, so that what is around it shows. The image is 8-bit noise in a `.npy` file that is mapped, normalised per image,
and predicted into an 8-bit `.npy` file by tiles of 512 (2D) or 32 (3D) with half overlap. Memory is the peak of the
process (`ru_maxrss`) above that after one batch was predicted: with what the backend and the compiled model take. Pages
of the mapped image that the system keeps because nobody else wants them are part of it. `cpu_seconds` are those of all
threads together: on a machine that does other work too they are the ones to compare.

Seams: `seam_excess` is the mean step between neighbours across the border of a tile, relative to that of all other
neighbours, in what a network of three 5×5 convolutions with padding makes of smooth noise. 1 is none.

Busy: does the card wait? A U-Net, tiles of 256, batches of 16; `bare` is the same number of batches, each predicted
from the same array that lies on the card and left there, so nothing but the network's own time (on JAX alone);
`one_by_one` is that array through `predict_on_batch`. Interleaved, medians of `--repeats`.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TILE = {2: 512, 3: 32}
MIB = 2**20


def seam_excess(values: np.ndarray, borders: tuple[np.ndarray, ...]) -> float:
    """Mean |step| across the borders of tiles, divided by that between all other neighbours.

    Args:
        values: `(height, width)`.
        borders: Of each axis, the places of pixels that begin or follow a tile: the step is that from the pixel before.

    Returns:
        About 1 where nothing shows; NaN where an image has no step at all.
    """
    across, others = [], []
    for axis, places in enumerate(borders):
        steps = np.abs(np.diff(np.asarray(values, np.float64), axis=axis))
        is_border = np.isin(np.arange(1, values.shape[axis]), places)
        across.append(np.compress(is_border, steps, axis=axis).ravel())
        others.append(np.compress(~is_border, steps, axis=axis).ravel())
    return float(np.concatenate(across).mean() / np.concatenate(others).mean())


def borders_of(length: int, tile: int, overlap: float) -> np.ndarray:
    """Where tiles begin and where they have just ended, inside of an axis."""
    from unetdyn.inference.grid import axis_of

    starts = np.array(axis_of(length, tile, overlap, "uniform").starts)
    places = np.concatenate([starts, starts + tile])
    return np.unique(places[(places > 0) & (places < length)])


def network(rank: int, layers: int = 2, side: int = 3) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[rank]
    tensor = inputs = keras.Input((*[None] * rank, 1))
    for _ in range(layers - 1):
        tensor = convolution(4, side, padding="same", activation="relu")(tensor)
    return keras.Model(inputs, convolution(1, side, padding="same", activation="sigmoid")(tensor))


def measure(rank: int, side: int) -> dict[str, Any]:
    """One size, in this process."""
    import keras

    from unetdyn.inference import predict_tiled

    tile, batch_size = TILE[rank], 4
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "image.npy", Path(folder) / "out.npy"
        _write_noise(path, (side,) * rank)
        model = network(rank)
        model.predict_on_batch(np.zeros((batch_size, *[tile] * rank, 1), "float32"))
        before = _peak()
        began, used = time.perf_counter(), time.process_time()
        arguments: dict[str, Any] = {"tile": tile, "batch_size": batch_size, "normalise": "per_image", "dtype": "uint8"}
        predict_tiled(model, np.load(path, mmap_mode="r"), out, **arguments)
        seconds, used, peak = time.perf_counter() - began, time.process_time() - used, _peak()
    found: dict[str, Any] = {"rank": rank, "side": side, "pixels": side**rank}
    found |= {"seconds": round(seconds, 2), "cpu_seconds": round(used, 2)}
    return found | {
        "mib": round((peak - before) / MIB),
        "model_mib": round(before / MIB),
        "backend": keras.config.backend(),
    }


def _write_noise(path: Path, shape: tuple[int, ...]) -> None:
    """An 8-bit image, not mapped, so that it is in no process's memory."""
    lines = max(1, 2**22 // int(np.prod(shape[1:])))
    with path.open("wb") as file:
        described = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, described)
        for line in range(0, shape[0], lines):
            part = (min(lines, shape[0] - line), *shape[1:])
            file.write(np.random.default_rng(line).integers(0, 256, part, dtype="uint8").tobytes())


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def seams(side: int = 1500, tile: int = 256) -> list[dict[str, Any]]:
    """Excess at the borders of tiles, by overlap and weighting, and at the same places of what has no tiles."""
    from scipy.ndimage import gaussian_filter

    from unetdyn.inference import predict_tiled

    image = gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 3).astype("float32")
    model = network(2, layers=3, side=5)
    rows = []
    for overlap, weighting in ((0.0, "uniform"), (0.25, "gaussian"), (0.5, "uniform"), (0.5, "gaussian")):
        arguments: dict[str, Any] = {"normalise": "per_image", "batch_size": 4, "tile": tile}
        found = predict_tiled(model, image, overlap=overlap, weighting=weighting, **arguments)
        whole = predict_tiled(model, image, **arguments | {"tile": side, "batch_size": 1})
        borders = (borders_of(side, tile, overlap),) * 2
        row = {"overlap": overlap, "weighting": weighting, "excess": seam_excess(found, borders)}
        row |= {"whole": seam_excess(whole, borders), "largest": float(abs(found - whole)[8:-8, 8:-8].max())}
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def around(shape: tuple[int, int] = (3000, 4000), tile: int = 512) -> dict[str, float]:
    """Seconds of the processor for a million pixels, with a function that costs nothing in the model's place."""
    from unetdyn.inference import predict_tiled

    image = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    arguments: dict[str, Any] = {"tile": tile, "batch_size": 4, "normalise": "unit", "dtype": "uint8"}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, out in (("array", None), ("file", Path(folder) / "out.npy")):
            began, used = time.perf_counter(), time.process_time()
            predict_tiled(lambda batch: batch, image, out, **arguments)
            found |= {f"{name}_cpu_seconds": 1e6 * (time.process_time() - used) / image.size}
            found |= {f"{name}_seconds": 1e6 * (time.perf_counter() - began) / image.size}
    print(json.dumps({name: round(value, 4) for name, value in found.items()}), flush=True)
    return found


def busy(side: int, filters: int, precision: str, repeats: int) -> dict[str, Any]:
    """Milliseconds a batch of `predict_tiled`, of `predict_on_batch` alone, and of the network alone."""
    import keras

    from unetdyn.inference import predict_tiled
    from unetdyn.inference.grid import axis_of
    from unetdyn.models import UNet

    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(0)
    model = UNet((256, 256, 1), filters=filters)
    batch = np.random.default_rng(0).random((16, 256, 256, 1), dtype=np.float32)
    taken: dict[str, list[float]] = {"tiled": [], "one_by_one": [], "bare": []}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "image.npy", Path(folder) / "out.npy"
        _write_noise(path, (side, side))
        count = math.ceil(len(axis_of(side, 256, 0.5, "gaussian").starts) ** 2 / 16)
        network = _compiled(model, batch)
        arguments: dict[str, Any] = {"tile": 256, "batch_size": 16, "normalise": "unit", "dtype": "uint8"}
        for _ in range(repeats + 1):
            began = time.perf_counter()
            predict_tiled(model, np.load(path, mmap_mode="r"), out, overwrite=True, **arguments)
            taken["tiled"].append(time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(count):
                model.predict_on_batch(batch)
            taken["one_by_one"].append(time.perf_counter() - began)
            if network is not None:
                began = time.perf_counter()
                network(count)
                taken["bare"].append(time.perf_counter() - began)
    found = {name: round(1e3 * float(np.median(each[1:])) / count, 2) for name, each in taken.items() if each}
    found |= {"backend": keras.config.backend(), "batches": count, "filters": filters, "precision": precision}
    print(json.dumps(found), flush=True)
    return found


def _compiled(model: Any, batch: np.ndarray) -> Any:
    """Predicts the batch so many times, on the card only; None where the backend isn't JAX."""
    import keras

    if keras.config.backend() != "jax":
        return None
    import jax

    call = jax.jit(lambda values, others, x: model.stateless_call(values, others, x, training=False)[0])
    on_card = jax.device_put(batch)

    def run(count: int) -> None:
        values = [each.value for each in model.trainable_variables]  # `predict_on_batch` gives them other arrays
        others = [each.value for each in model.non_trainable_variables]
        for _ in range(count):
            found = call(values, others, on_card)
        jax.block_until_ready(found)

    run(2)
    return run


def plot(files: list[Path], save: Path) -> None:
    """Memory and time against the number of pixels, log–log."""
    import matplotlib.pyplot as plt

    figure, (memory, seconds) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for file in files:
        rows = json.loads(file.read_text())
        pixels, label = [row["pixels"] for row in rows], f"{rows[0]['rank']}D"
        memory.loglog(pixels, [max(row["mib"], 1) for row in rows], "o-", label=label)
        seconds.loglog(pixels, [row["cpu_seconds"] for row in rows], "o-", label=label)
    pixels = np.array([1e5, 4e8])
    memory.loglog(pixels, 4 * pixels / MIB, "k:", label="the result in float32")
    memory.axhline(1024, color="grey", linewidth=0.8)
    memory.set(xlabel="pixels", ylabel="peak above the model, MiB")
    seconds.set(xlabel="pixels", ylabel="CPU seconds")
    memory.legend()
    figure.savefig(save, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("size", "volume", "one", "seams", "around", "busy", "plot"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--sides", nargs="+", type=int, default=[1250, 2500])
    parser.add_argument("--rank", type=int, default=2)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    if asked.what == "one":
        print(json.dumps(measure(asked.rank, asked.sides[0])))
    elif asked.what == "plot":
        plot(asked.files, asked.save)
    elif asked.what == "seams":
        seams()
    elif asked.what == "around":
        around()
    elif asked.what == "busy":
        busy(asked.sides[0], asked.filters, asked.precision, asked.repeats)
    else:
        rows = []
        for side in asked.sides:
            rank = "3" if asked.what == "volume" else "2"
            command = [sys.executable, __file__, "one", "--rank", rank, "--sides", str(side)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(rows[-1]), flush=True)
            if asked.save:
                asked.save.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
