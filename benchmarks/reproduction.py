"""Which figures of the studies hold? Three architectures, their broken and their mended recipe, two ways to split.

UNETDYN_DATA=... python benchmarks/reproduction.py --out runs/reproduction --small
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from reproduction_cases.combinations import combinations
from reproduction_cases.table import as_json, as_text, read_rows

DEFAULTS = {"downsample": 1, "tile": 256, "turns": 8, "filters": 32, "epochs": 30, "broken_epochs": 50}
SMALL = {"downsample": 4, "tile": 64, "turns": 4, "filters": 8, "epochs": 15, "broken_epochs": 15}


def main() -> None:
    """Train what is not trained yet, and tell what all of it comes to."""
    began = time.perf_counter()
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        # Programs of one architecture and recipe are the same for both splits; compiling them is much of the time.
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(arguments.out.absolute() / ".compiled"))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        _train(arguments, None if arguments.time_limit is None else began + arguments.time_limit)
    rows = read_rows(arguments.out)
    if not rows:
        raise SystemExit(f"No run in {arguments.out} is finished.")
    print(as_text(_write(arguments.out, rows)))
    if arguments.report:
        _report(arguments.out, rows)


def _train(arguments: argparse.Namespace, deadline: float | None) -> None:
    from reproduction_cases.sections import load
    from reproduction_cases.training import RESULT, Settings, train

    settings = Settings(**{name: _setting(arguments, name) for name in DEFAULTS}, precision=arguments.precision)
    data, stack = load(arguments.data, arguments.cache, settings.downsample)
    wanted = combinations(arguments.only, arguments.seeds)
    waiting = [one for one in wanted if not (arguments.out / one.id / RESULT).exists()]
    print(f"{len(waiting)} of {len(wanted)} trainings to do.", flush=True)
    for one in waiting:
        result = None
        if deadline is None or time.perf_counter() < deadline:
            result = train(one, stack, settings, arguments.out, deadline)
        if result is None:
            print("The time is over: the same command carries on from here.", flush=True)
            return
        _write(arguments.out, read_rows(arguments.out), {"data": data, "sections": len(stack), **_machine()})
        print(
            f"{one.id}: object {result['object']:.3f}, soft {result['soft']:.3f}, test {result['test_object']:.3f} "
            f"({result['seconds']} s)",
            flush=True,
        )


def _setting(arguments: argparse.Namespace, name: str) -> int:
    given = getattr(arguments, name)
    return given if given is not None else (SMALL if arguments.small else DEFAULTS)[name]


def _write(out: Path, rows: list[dict[str, Any]], machine: dict[str, Any] | None = None) -> dict[str, Any]:
    """`table.json` and `table.txt`, each replaced at once: several processes may share a folder."""
    path = out / "table.json"
    if machine is None:
        machine = {}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))["made"]
            machine = {name: value for name, value in before.items() if name not in rows[0]["settings"]}
    table = as_json(rows, machine)
    for file, text in ((path, json.dumps(table, indent=1)), (out / "table.txt", as_text(table))):
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(file)
    return table


def _machine() -> dict[str, str]:
    """What the runs were made with, of the process that ran last."""
    import keras

    device = f"{os.cpu_count()} CPU cores"
    if keras.config.backend() == "jax":
        import jax

        kind = jax.devices()[0].device_kind
        device = device if kind == "cpu" else kind
    return {"backend": keras.config.backend(), "keras": keras.__version__, "device": device}


def _report(out: Path, rows: list[dict[str, Any]]) -> None:
    from unetdyn.report import write_report

    folders = [out / f"{row['architecture']}-{row['recipe']}-{row['split']}-{row['seed']}" for row in rows]
    print(write_report(folders, out / "report.html", metric="jaccard"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run directories; finished ones are kept")
    parser.add_argument("--data", type=Path, help="folder with images/ and masks/; default UNETDYN_DATA/vnc_mito")
    parser.add_argument("--cache", type=Path, help="file of the sections, written where it is missing")
    parser.add_argument("--small", action="store_true", help=f"for a CPU: {SMALL} instead of {DEFAULTS}")
    parser.add_argument("--only", type=_words, default=[], help="architectures, recipes, splits, with commas between")
    parser.add_argument("--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[0])
    parser.add_argument("--downsample", type=int, help="how many times smaller")
    parser.add_argument("--tile", type=int, help="side of a tile, a multiple of 16")
    parser.add_argument("--turns", type=int, help="ways to lie, of eight, in which each training tile is given")
    parser.add_argument("--filters", type=int, help="channels of the first level; the tutorial has 64")
    parser.add_argument("--epochs", type=int, help="of the mended recipe, at most")
    parser.add_argument("--broken-epochs", type=int, help="of the broken one; the studies' best was the 44th")
    parser.add_argument("--precision", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--time-limit", type=float, help="seconds; a training not finished by then is given up")
    parser.add_argument("--table", action="store_true", help="train none, only tell what there is")
    parser.add_argument("--no-report", dest="report", action="store_false", help="write no report.html")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


if __name__ == "__main__":
    main()
