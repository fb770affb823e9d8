"""What does an epoch's end cost? Seconds that recorders add to an epoch, each of which is the best so far.

    KERAS_BACKEND=jax python benchmarks/epoch_end.py --filters 64 --size 256 --batch 16 --steps 300 --epochs 2
    KERAS_BACKEND=tensorflow python benchmarks/epoch_end.py --filters 8 --size 64 --batch 2 --steps 10 --repeats 5

How it measures. Each condition has one model in one long `fit` in a thread of its own. A first callback holds each
thread until it is its turn; only one runs at a time, every repeat has a turn of `--epochs` epochs for each condition,
and the order rotates. All epochs of a turn but the first count, from one begin to the next: while each of them runs,
the model of the one before is written, and what is not written at its end is waited for. A turn ends when all is
written.

The seconds are medians over repeats of what one epoch took longer than that of `nothing` in the same repeat. `again` is
a second `nothing`. `--memory` gives the peak of the host's memory instead, of a process of its own for each condition.

Conditions: `in line`, what the recorder was: `model.save` with the state of the optimizer, in line with training;
`recorder`, as it is; `with state`, the same and a `ResumableRun` of its directory.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn.callbacks import ResumableRun, RunRecorder
from unetdyn.models import UNet
from unetdyn.runs import replacing

WARMUP = 2  # turns: the first compiles, and learns what a fresh optimizer is


class InLine(keras.callbacks.Callback):
    """The model of each epoch with all its state, as the recorder saved it before."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "model.keras"

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        with replacing(self.file) as temporary:
            self.model.save(temporary)


class Better(keras.callbacks.Callback):
    """Has each epoch be the best so far."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        assert logs is not None
        logs["score"] = float(epoch)


class Turns(keras.callbacks.Callback):
    """Holds a training until it is its turn, and measures its turns."""

    def __init__(self, turn: "Queue", name: str, epochs: int, written: Callable[[], None]) -> None:
        super().__init__()
        self.turn, self.name, self.epochs, self.written = turn, name, epochs, written
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        if epoch % self.epochs == 1:
            self.second = time.perf_counter()
        if epoch % self.epochs:
            return
        if epoch:
            self.seconds.append((time.perf_counter() - self.second) / (self.epochs - 1))
            self.written()
            self.turn.give()
        self.turn.wait(self.name)

    def on_train_end(self, logs: dict | None = None) -> None:  # noqa: ARG002
        self.turn.give()


class Queue:
    """Whose turn it is: each once in a repeat, in an order that rotates."""

    def __init__(self, names: list[str], repeats: int) -> None:
        orders = (names[k % len(names) :] + names[: k % len(names)] for k in range(repeats + 1))
        self._order = list(itertools.chain.from_iterable(orders))
        self._changed = threading.Condition()

    def wait(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._order or self._order[0] == name)

    def give(self) -> None:
        with self._changed:
            self._order.pop(0)
            self._changed.notify_all()


def callbacks_of(condition: str, folder: Path) -> tuple[list[Any], Callable[[], None]]:
    """What a condition gives to `fit`, and what waits until all is written."""
    if condition in ("nothing", "again"):
        return [], lambda: None
    if condition == "in line":
        return [InLine(folder)], lambda: None
    recorder = RunRecorder(folder / "run", save_best="score", mode="max")
    if condition == "recorder":
        return [recorder], recorder.background.wait
    state = ResumableRun(folder / "run", verbose=0)
    return [recorder, state], lambda: (recorder.background.wait(), state._background.wait())


def train(condition: str, args: argparse.Namespace, turn: Queue | None, found: dict[str, Any]) -> None:
    try:
        keras.config.set_dtype_policy(args.precision)
        keras.utils.set_random_seed(0)
        model = UNet((args.size, args.size, 1), filters=args.filters, depth=args.levels)
        model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
        x = np.random.default_rng(0).random((args.batch * args.steps, args.size, args.size, 1), dtype=np.float32)
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            given, written = callbacks_of(condition, Path(folder))
            turns = Turns(turn, condition, args.epochs, written) if turn is not None else None
            epochs = 4 if turn is None else args.epochs * (args.repeats + WARMUP) + 1
            model.fit(
                x,
                (x > 0.5).astype("float32"),
                batch_size=args.batch,
                epochs=epochs,
                verbose=0,
                callbacks=[*([turns] if turns else []), Better(), *given],
            )
        found[condition] = {"seconds": turns.seconds if turns else [], "parameters": model.count_params()}
    except BaseException as error:  # the others would wait for this one's turn
        print(f"{condition}: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    turn = Queue(args.conditions, args.repeats + WARMUP)
    threads = [threading.Thread(target=train, args=(name, args, turn, found)) for name in args.conditions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def peak_mib(condition: str, arguments: list[str]) -> float:
    """Of a process that trains with one condition only."""
    line = [sys.executable, __file__, *arguments, "--alone", condition]
    out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return float(json.loads(out.splitlines()[-1])["mib"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("filters", 8), ("levels", 4), ("size", 64), ("batch", 2), ("steps", 10), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--epochs", type=int, default=3, help="of a turn, 2 or more")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--folder", help="where runs are written; the system's folder for temporary files by default")
    parser.add_argument("--conditions", default="nothing,again,in line,recorder,with state")
    parser.add_argument("--memory", action="store_true", help="the peaks of the host's memory instead")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.epochs < 2:
        parser.error("--epochs must be 2 or more: the first of a turn does not count")
    args.conditions = args.conditions.split(",")
    if args.alone:
        train(args.alone, args, None, {})
        print(json.dumps({"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    elif args.memory:
        for name in args.conditions:
            print(f"| {name} | {peak_mib(name, sys.argv[1:]):.0f} MiB |", flush=True)
    else:
        show(measure(args), args.conditions)


def show(found: dict[str, Any], conditions: list[str]) -> None:
    plain, parameters = np.array(found["nothing"]["seconds"][WARMUP:]), found["nothing"]["parameters"]
    print(f"{parameters:,} parameters, {parameters * 4 / 1e6:.0f} MB; an epoch of {np.median(plain):.2f} s\n")
    print("| condition | s more an epoch (median, quartiles) | ratio |\n| --- | --- | --- |")
    for name in conditions:
        seconds = np.array(found[name]["seconds"][WARMUP:])
        low, middle, high = np.percentile(seconds - plain, (25, 50, 75))
        print(f"| {name} | {middle:.3f} ({low:.3f} to {high:.3f}) | {np.median(seconds / plain):.3f} |")


if __name__ == "__main__":
    main()
