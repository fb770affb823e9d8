"""Is a sweep that is killed again and again, and carried on each time, the sweep that was left alone?

    KERAS_BACKEND=torch nice -n 19 python benchmarks/killed_sweep.py
    python benchmarks/killed_sweep.py --check

How it measures. The sweep of the studies in small: 3 architectures × 2 learning rates × 2 batch sizes × 3 seeds, each a
tiny U-Net on synthetic electron microscopy. Once one process trains all rows, one after the other. Once
`unetdyn sweep retry --jobs` is started, and killed by SIGKILL with all that it has started, at a random moment: some
rows after its start, and then some seconds. It is started again until it has been killed so often, and then once more.
Claims and run directories stay as the kills left them. At the end each row must be there once, with each of its epochs
once; and all that was logged, the summaries with the test's figures, and the weights of the best epochs must be equal
to the last bit, on a CPU. Times are left out.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import psutil

from unetdyn import runs
from unetdyn.runs.versions import versions
from unetdyn.sweeps.claims import read_claim
from unetdyn.sweeps.status import status
from unetdyn.sweeps.table import Row, Sweep, freeze

FACTORS = {
    "model.architecture": ["UNet", "AttentionUNet", "AttentionResUNet"],
    "optimizer.learning_rate": [1e-3, 5e-3],
    "fit.batch_size": [8, 16],
}
SEEDS = (0, 1, 2)
SPLIT = {"train": [0, 3], "validation": [5, 5], "test": [7, 7]}
BASE = {
    "name": "killed",
    "data": {"kind": "synthetic", "sections": 8, "size": 64, "tile": 32, "split": SPLIT},
    "model": {"filters": 2, "depth": 1, "dropout": 0.1},
}
CLOCK = {"seconds", "cost"}
"""What is logged of time."""


def planned(folder: Path, epochs: int, rows: int | None) -> Sweep:
    """The table."""
    from unetdyn.sweeps.row_config import checked

    base = {**BASE, "fit": {"epochs": epochs}}
    cells = [dict(zip(FACTORS, levels, strict=True)) for levels in product(*FACTORS.values())]
    made = [
        Row(number, cell, seed, settings, {}, "")
        for number, ((cell, settings), seed) in enumerate(product(enumerate(cells, 1), SEEDS), 1)
    ]
    hashed, _ = checked(base, made[:rows])
    used = versions(os.environ.get("KERAS_BACKEND", "tensorflow"))
    return freeze(folder, "killed", "2026-11-27T00:00:00", used, {}, base, hashed)


def train_all(sweep: Sweep, log: Path) -> None:
    """In one process, one row after the other."""
    code = (
        f"from unetdyn.sweeps.table import *; from unetdyn.sweeps.work import *; work(open_sweep({str(sweep.path)!r}))"
    )
    with log.open("ab") as output:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=output, stderr=output)


def retried(sweep: Sweep, jobs: int, log: Path) -> subprocess.Popen:
    """What a person starts."""
    command = [sys.executable, "-m", "unetdyn.cli", "sweep", "retry", str(sweep.path), "--jobs", str(jobs)]
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def kill(process: subprocess.Popen) -> int:
    """It and all that it has started; returned is how many of those there were."""
    parent = psutil.Process(process.pid)
    parent.suspend()  # it starts no more
    children = parent.children(recursive=True)
    for each in (parent, *children):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    psutil.wait_procs(children)
    return len(children)


def kill_often(sweep: Sweep, kills: int, jobs: int, seconds: float, chance: random.Random, log: Path) -> list[str]:
    """What each kill has hit."""
    hit = []
    per_kill = max(len(sweep.rows) // (kills + 1), 1)
    for number in range(1, kills + 1):
        wanted = min(status(sweep).counts["done"] + chance.randint(0, per_kill), len(sweep.rows) - 1)
        process = retried(sweep, jobs, log)
        while status(sweep).counts["done"] < wanted and process.poll() is None:
            time.sleep(0.2)
        due = time.monotonic() + chance.uniform(0, seconds)
        while time.monotonic() < due and process.poll() is None:
            time.sleep(0.2)
        if process.poll() is not None:
            print(f"It had ended before kill {number}, with {process.returncode}.", flush=True)
            break
        killed = kill(process)
        found = status(sweep)
        dead = [f"row {row.number} in epoch {row.epoch + 1}" for row in found.of("dead")]
        hit.append(f"{found.counts['done']} done, {killed} processes killed: {', '.join(dead) or 'no row claimed'}")
        print(f"kill {number}: {hit[-1]}", flush=True)
    return hit


def results(sweep: Sweep) -> dict[str, Any]:
    """All that the rows have come to, without the clock's part."""
    return {sweep.label(row.number): result(sweep.run_path(row.number)) for row in sweep.rows}


def result(path: Path) -> dict[str, Any]:
    """What a run has come to."""
    run = runs.open(path)
    found = {"status": run.status, "notes": run.notes, "epochs": run.epochs, "summary": run.summary, "weights": {}}
    with zipfile.ZipFile(path / "model.keras") as model, h5py.File(io.BytesIO(model.read("model.weights.h5"))) as file:
        file.visititems(
            lambda name, each: found["weights"].update(
                {name: each[()].tobytes().hex()} if hasattr(each, "dtype") else {}
            )
        )
    return found


def differences(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Places at which two results differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted({*left, *right} - CLOCK):
            yield from differences(left.get(name), right.get(name), f"{path}/{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, parts in enumerate(zip(left, right, strict=True)):
            yield from differences(*parts, f"{path}/{place}")
    elif left != right and not (left != left and right != right):
        yield path


def judged(whole: Sweep, killed: Sweep, epochs: int) -> dict[str, Any]:
    """Whether the killed sweep is the other."""
    left, right = results(whole), results(killed)
    claims = [read_claim(killed.claim_path(row.number)) for row in killed.rows]
    once = [
        each["status"] == "finished" and [line["epoch"] for line in each["epochs"]] == list(range(epochs))
        for each in right.values()
    ]
    carried_on = [len(runs.open(killed.run_path(row.number)).resumed) for row in killed.rows]
    return {
        "rows": len(killed.rows),
        "rows_once": sum(once),
        "attempts": sum(claim.attempts for claim in claims if claim),
        "rows_begun_more_than_once": sum(claim.attempts > 1 for claim in claims if claim),
        "times_carried_on_from_a_state": sum(carried_on),
        "moved_aside": len(list(killed.path.glob("runs/*.begun-*"))),
        "numbers_compared": sum(len(line) for each in left.values() for line in each["epochs"]),
        "rows_equal": sum(not list(differences(left[label], right[label])) for label in left),
        "differences": list(differences(left, right))[:10],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, help="only the first ones")
    parser.add_argument("--seconds", type=float, default=30.0, help="about what a row takes; a kill comes within them")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="where the sweeps are kept")
    parser.add_argument("--check", action="store_true", help="2 rows, 2 kills")
    args = parser.parse_args()
    if args.check:
        args.rows, args.kills, args.epochs, args.seconds = 2, 2, 2, min(args.seconds, 10.0)
    folder = args.folder or Path(tempfile.mkdtemp())
    log = folder / "log.txt"
    whole, killed = (planned(folder / name, args.epochs, args.rows) for name in ("whole", "killed"))
    began = time.monotonic()
    train_all(whole, log)
    print(f"{len(whole.rows)} rows trained, uninterrupted, in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    hit = kill_often(killed, args.kills, args.jobs, args.seconds, random.Random(args.seed), log)
    code = retried(killed, args.jobs, log).wait()
    found = judged(whole, killed, args.epochs)
    print(
        json.dumps(
            {"kills": len(hit), "exit_code": code, "seconds": round(time.monotonic() - began), **found}, indent=1
        )
    )
    if code or found["differences"] or found["rows_once"] < found["rows"]:
        raise SystemExit(f"The killed sweep is not the other one: see {folder}.")


if __name__ == "__main__":
    main()
