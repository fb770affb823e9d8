"""Do the analysis functions tell the truth? Their coverage and false alarms on histories whose truth was planted.

    python benchmarks/analysis_truth.py --draws 500

Every estimate that states a confidence, and every verdict, is drawn many times on made-up trainings of which the
answer is known. Each topic is a module in `truth/`; a row says what was planted, what was found, and what was wanted.
`--topics fits convergence` runs some of them only. It needs no Keras.
"""

import argparse
import importlib
import time
from pathlib import Path

TOPICS = sorted(file.stem for file in Path(__file__).with_name("truth").glob("[!_]*.py"))


def table(rows: list[tuple[str, str, str]]) -> str:
    header = ("planted", "found", "wanted")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500, help="histories for each row (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--topics", nargs="*", choices=TOPICS, default=TOPICS)
    options = parser.parse_args()
    for topic in options.topics:
        began = time.perf_counter()
        rows = importlib.import_module(f"truth.{topic}").rows(options.draws, options.seed)
        print(f"{topic}: {options.draws} draws, seed {options.seed}, {time.perf_counter() - began:.0f} s")
        print(table(rows) + "\n", flush=True)


if __name__ == "__main__":
    main()
