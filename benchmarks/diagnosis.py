"""Can the diagnosis be trusted? Train nets with planted faults and healthy look-alikes, and score what is said.

python benchmarks/diagnosis.py run --out runs/diagnosis --jobs 2 --stratum quarter
python benchmarks/diagnosis.py score runs/diagnosis
"""

import argparse
import json
from pathlib import Path

from diagnosis_cases import running
from diagnosis_cases.cases import STRATA, cases


def main() -> None:
    """Run or score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands.add_parser("run", help="train what is not trained yet"))
    _add_score(commands.add_parser("score", help="how good is what the diagnosis says of the runs?"))
    arguments = parser.parse_args()
    {"run": _run, "score": _score}[arguments.command](arguments)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of the run directories; finished ones are kept")
    parser.add_argument("--cache", type=Path, help="folder of prepared tiles and compiled programs; default OUT/.cache")
    parser.add_argument("--backend", choices=["jax", "tensorflow"], default="jax")
    parser.add_argument("--stratum", choices=list(STRATA), default="all")
    parser.add_argument("--families", help="names of faults or healthy variants, with commas between")
    parser.add_argument("--severities", default="0,1,2")
    parser.add_argument("--seeds", help="only these, with commas between")
    parser.add_argument("--nets", help="only these")
    parser.add_argument("--data", help="only these data sets")
    parser.add_argument("--only", type=Path, help="a file of ids, a line each, as --list prints them: only these")
    parser.add_argument("--part", default="1/1", help="i/n: every n-th case, beginning with the i-th")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with one thread")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a case counts as hung")
    parser.add_argument("--advice", action="store_true", help="the faults again, with the advised change applied")
    parser.add_argument("--list", action="store_true", help="say which cases, and train none")


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="what `run --out` was given")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--prefixes", action="store_true", help="also when the right cause is first named (slow)")
    parser.add_argument("--json", type=Path, help="write the whole table there too")


def _score(arguments: argparse.Namespace) -> None:
    from diagnosis_cases.scoring import score, text

    table = score(arguments.folder, arguments.jobs, arguments.prefixes)
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))
    print(text(table))


def _run(arguments: argparse.Namespace) -> None:
    cache = (arguments.cache or arguments.out / ".cache").absolute()
    data = _prepared(cache)
    families = arguments.families.split(",") if arguments.families else None
    chosen = [
        case
        for case in cases(arguments.backend, arguments.stratum, families, data, arguments.advice)
        if (case.healthy or str(case.severity) in arguments.severities.split(","))
        and (not arguments.seeds or str(case.seed) in arguments.seeds.split(","))
        and (not arguments.nets or case.net in arguments.nets.split(","))
        and (not arguments.data or case.data in arguments.data.split(","))
    ]
    if arguments.only:
        named = arguments.only.read_text().split()
        chosen = sorted((case for case in chosen if case.id in named), key=lambda case: named.index(case.id))
    part, parts = (int(number) for number in arguments.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    if arguments.list:
        print("\n".join(case.id for case in chosen), f"{len(chosen)} cases", sep="\n")
    else:
        running.run(chosen, arguments.out.absolute(), cache, arguments.jobs, arguments.limit)


def _prepared(cache: Path) -> tuple[str, ...]:
    """Reading the data needs Keras: in a process of its own, so that this one stays small."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return tuple(pool.apply(running.prepare_data, (cache,)))


if __name__ == "__main__":
    main()
