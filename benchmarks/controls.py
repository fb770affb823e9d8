"""Do the controls help? Each, and Keras' ReduceLROnPlateau, against nothing: calm, restless and wild, seed by seed.

UNETDYN_DATA=... python benchmarks/controls.py --out runs/controls.jsonl
"""

import argparse
import itertools
import json
import os
import platform
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Train what is not trained yet, a line of JSON each; the same command carries on where it was cut off."""
    arguments = _arguments()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cache = str(arguments.out.absolute().with_suffix(".compiled"))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    if not arguments.table:
        _train(arguments)
    rows = read(arguments.out)
    if arguments.json:
        arguments.json.write_text(json.dumps({"made": _made(), "rows": rows}, indent=1) + "\n", encoding="utf-8")
    from controls_cases.table import tables

    print("\n\n".join(tables(rows)))


def read(path: Path) -> list[dict[str, Any]]:
    """The trainings that are done; a line that was cut off is none."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _train(arguments: argparse.Namespace) -> None:
    from controls_cases.arms import SETUPS, arms_of
    from controls_cases.tiles import NAMES, tiles
    from controls_cases.training import train

    keys = ("data", "setup", "arm", "seed")
    done = {tuple(row[key] for key in keys) for row in read(arguments.out)}
    parts = {}
    for name in arguments.data or NAMES:
        found = tiles(name)
        if isinstance(found, str):
            print(f"{name} is left out: {found}.", flush=True)
        else:
            parts[name] = found
    setups = arguments.setups or list(SETUPS)
    wanted = [(setup, arm) for setup in setups for arm in arguments.arms or arms_of(setup)]
    for seed, (setup, arm), data in itertools.product(arguments.seeds, wanted, parts):
        if (data, setup, arm, seed) in done:
            continue
        began = time.perf_counter()
        row = {"data": data, "setup": setup, "arm": arm, "seed": seed, **train(setup, arm, parts[data], seed)}
        with arguments.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{json.dumps(row)} ({time.perf_counter() - began:.0f} s)", flush=True)


def _made() -> dict[str, Any]:
    """What the trainings were made with, of the process that ran last."""
    import keras
    from controls_cases.arms import EPOCHS, SETUPS
    from controls_cases.tiles import SIDE, TRAIN, VALIDATION

    backend = keras.config.backend()
    return {
        "machine": f"{os.cpu_count()} cores of {_processor()}, shared",
        "versions": {"python": platform.python_version(), "keras": keras.__version__, backend: _version(backend)},
        "epochs": EPOCHS,
        "tiles": [TRAIN, VALIDATION],
        "side": SIDE,
        "setups": {name: [setup.rate, setup.batch_size] for name, setup in SETUPS.items()},
    }


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file of the results, to which lines are added")
    parser.add_argument("--json", type=Path, help="where to write all of them, with what they were made with")
    parser.add_argument("--table", action="store_true", help="train none, only tell what there is")
    parser.add_argument("--seeds", type=_numbers, default=range(5))
    parser.add_argument("--data", type=_words, help="synthetic, vnc, with commas between")
    parser.add_argument("--setups", type=_words, help="calm, restless, wild")
    parser.add_argument("--arms", type=_words, help="controls by name")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


if __name__ == "__main__":
    main()
