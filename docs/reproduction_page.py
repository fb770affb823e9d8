"""Writes docs/reproduction.md from what benchmarks/reproduction.py measured.

python docs/reproduction_page.py
"""

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGE, BENCHMARKS = DOCS / "reproduction.md", DOCS.parent / "benchmarks"
MEASURED = BENCHMARKS / "truth" / "reproduction.json"
"""The `table.json` of a run of `benchmarks/reproduction.py` on a GPU."""
SMALL = BENCHMARKS / "truth" / "reproduction_small.json"
"""That of a run with `--small` on two cores."""

sys.path.insert(0, str(BENCHMARKS))

from reproduction_cases.claims import NEAR, claims  # noqa: E402
from reproduction_cases.combinations import RECIPES, combinations  # noqa: E402
from reproduction_cases.table import COLUMNS  # noqa: E402

_WIDTH = 120


def reproduction_page(measured: Mapping[str, Any], small: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = measured["rows"]
    parts = [
        "# The studies' table, trained again",
        _paragraph(
            "Made by `make docs-reproduction` from what `benchmarks/reproduction.py` measured: three architectures, by "
            "the recipe that [the studies](studies.md) call broken and by the one that they mended it to, on tiles "
            "split at random, as is usual, and on sections apart from each other. Each is tested on sections that "
            "nothing has seen."
        ),
        "## How",
        "\n".join(_how(measured["made"], rows)),
        "## The runs",
        "\n".join(_table(rows)),
        _paragraph(
            "*Object*: the Jaccard of the thresholded masks over all pixels of the validation, mitochondria alone; "
            "*two-class*: the mean of that and the background's; *soft*: of the probabilities, not thresholded. All "
            "three with the weights of the *epoch* that was kept, the best by the soft Jaccard (broken) or by the "
            "thresholded one (mended); the test is of the same weights. *Lowest of last ten*: the object's Jaccard in "
            "the worst of the last ten epochs. *σ*: of the validation loss over these, divided by n − 1. *Diagnosis*: "
            "what `unetdyn.analysis.diagnose` makes of the record, and the first code that it names."
        ),
        _paragraph(_diagnosed(rows)),
        "## Which of their figures hold",
        _counted(claims(rows)),
        "\n".join(_claim(*claim) for claim in claims(rows)),
        "## The same, small",
        _paragraph(
            "With `--small`, what two cores do in an hour. The attention gates are there with both recipes, and the "
            "nets are far from done."
        ),
        "\n".join(_how(small["made"], small["rows"])),
        "\n".join(_table(small["rows"])),
        "\n".join(_claim(*claim) for claim in claims(small["rows"])),
        "## Run it",
        "```\nUNETDYN_DATA=... python benchmarks/reproduction.py --out runs/reproduction --small   # on a CPU\n"
        "python benchmarks/reproduction.py --out runs/mine --data FOLDER --precision mixed_bfloat16   # on a GPU\n```",
        _paragraph(
            "`FOLDER` has `images/` and `masks/`, in the order of the specimen. What is trained stays; `table.json` "
            "becomes this page once it lies in `benchmarks/truth/reproduction.json`."
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _how(made: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    smaller = f"{made['downsample']} times smaller" if made["downsample"] > 1 else "at full size"
    broken, mended = RECIPES["broken"], RECIPES["mended"]
    return [
        _point(
            f"**Data**: `{made['data']}`, {made['sections']} sections, {smaller}, tiles of "
            f"{made['tile']}×{made['tile']}, each section normalised by itself. The last 15 % of the sections are the "
            "test; the one before them is left out."
        ),
        _point(
            '**Networks**: the tutorial\'s (`variant="bnsreenu"`), with '
            f"{made['filters']} filters{'' if made['filters'] == 64 else ' instead of 64'}; focal loss with γ = 2, "
            f"{made['precision']}."
        ),
        _point(
            f"**Broken**: 144 tiles of 12 sections (or as many as there are), batch {broken.batch_size}, Adam "
            f"{broken.optimizer['learning_rate']:g}, {made['broken_epochs']} epochs, judged by the soft Jaccard."
            f"{_tiles(rows, 'broken')}"
        ),
        _point(
            f"**Mended**: all tiles, for training in {made['turns']} of the eight ways in which a square can lie "
            "(theirs were 1,980, 111 steps an epoch); "
            f"batch {mended.batch_size}, Adam {mended.optimizer['learning_rate']:g} "
            f"with clipnorm {mended.optimizer['clipnorm']:g}, half the rate after {mended.plateau} epochs without a "
            f"better thresholded Jaccard, the end after {mended.patience} or at {made['epochs']}."
            f"{_tiles(rows, 'mended')}"
        ),
        _point(
            "**Random**: a tenth of the tiles at random for validation, so that neighbours are on both sides. "
            "**Honest**: a tenth of the sections, with one left out before them."
        ),
        _point(
            f"**Machine**: {made['device']}, {made['backend']}, Keras {made['keras']}; "
            f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes of training in all, compiling included. Seeds: "
            f"{', '.join(map(str, sorted({row['seed'] for row in rows})))}."
        ),
        *_missing(rows),
    ]


def _missing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    trained = {(row["architecture"], row["recipe"], row["split"]) for row in rows}
    left = [each for each in combinations() if (each.architecture, each.recipe, each.split) not in trained]
    names = ", ".join(f"{each.architecture} {each.recipe} ({each.split})" for each in left)
    return [_point(f"**Not trained**, for want of time: {names}.")] if left else []


def _tiles(rows: Sequence[Mapping[str, Any]], recipe: str) -> str:
    counts = {row["split"]: row["tiles"] for row in rows if row["recipe"] == recipe}
    told = [f"{of['train']} and {of['validation']} ({split})" for split, of in counts.items()]
    return f" Tiles to train and to validate on: {', '.join(told)}." if told else ""


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *([show(row) for show in COLUMNS.values()] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _diagnosed(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the diagnosis says first, in how many of each recipe's runs."""
    told = []
    for recipe in RECIPES:
        found = [row["diagnosis"] for row in rows if row["recipe"] == recipe]
        said = Counter(f"`{each['codes'][0]}`" if each["codes"] else f'"{each["level"]}"' for each in found)
        if found:
            several = f"{len(found)} {recipe} run{'s' * (len(found) > 1)}"
            told.append(f"of {several} " + ", ".join(f"{what} in {count}" for what, count in said.most_common()))
    return f"The diagnosis, from the validation on the way and the test, says first {'; '.join(told)}."


def _counted(found: Sequence[Any]) -> str:
    verdicts = Counter(claim.verdict for claim in found)
    told = ", ".join(f"{verdict}: {count}" for verdict, count in verdicts.most_common())
    return _paragraph(
        f"Of {len(found)} statements, {told}. A Jaccard counts as theirs within {NEAR:g}. One volume of another "
        "tissue, and smaller networks, can't refute a figure of theirs; they show what it takes to come by it."
    )


def _claim(theirs: str, ours: str, verdict: str) -> str:
    return _point(f"**{verdict.capitalize()}**: {theirs}. Here: {ours}.")


def _point(text: str) -> str:
    return _filled(f"- {text}", "  ")


def _paragraph(text: str) -> str:
    return _filled(text, "")


def _filled(text: str, further: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    both = (json.loads(path.read_text(encoding="utf-8")) for path in (MEASURED, SMALL))
    PAGE.write_text(reproduction_page(*both), encoding="utf-8")
