"""The table of all runs: from `result.json` in their folders to text and to one JSON file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .claims import claims
from .combinations import ARCHITECTURES, RECIPES, SPLITS

Row = Mapping[str, Any]

COLUMNS = {
    "architecture": lambda row: row["architecture"],
    "recipe": lambda row: row["recipe"],
    "split": lambda row: row["split"],
    "object": lambda row: number(row["object"]),
    "two-class": lambda row: number(row["two_class"]),
    "soft": lambda row: number(row["soft"]),
    "epoch": lambda row: f"{row['kept_epoch']} of {row['epochs']}",
    "lowest of last ten": lambda row: number(row["object_lowest"]),
    "σ": lambda row: f"{number(row['sigma'], 4)} {row['sigma_class'] or ''}".strip(),
    "test object": lambda row: number(row["test_object"]),
    "test two-class": lambda row: number(row["test_two_class"]),
    "test soft": lambda row: number(row["test_soft"]),
    "diagnosis": lambda row: " ".join([row["diagnosis"]["level"], *row["diagnosis"]["codes"][:1]]),
}


def number(value: float | None, digits: int = 3) -> str:
    """A number as the table shows it; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def read_rows(out: Path) -> list[dict[str, Any]]:
    """What the finished runs of a folder measured, in the table's order."""
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(out.glob("[!.]*/result.json"))]
    places = (ARCHITECTURES, tuple(RECIPES), SPLITS)
    names = ("architecture", "recipe", "split")
    return sorted(
        rows, key=lambda row: (*(of.index(row[name]) for name, of in zip(names, places, strict=True)), row["seed"])
    )


def as_json(rows: Sequence[Row], made: Mapping[str, Any]) -> dict[str, Any]:
    """All of a measurement: how it was made, its rows, and which of the studies' figures hold by them.

    Raises:
        ValueError: If runs were made with different settings.
    """
    settings = [row["settings"] for row in rows]
    if any(each != settings[0] for each in settings):
        raise ValueError("The runs were made with different settings, and don't compare. Give each set its own folder.")
    bare = [{name: value for name, value in row.items() if name != "settings"} for row in rows]
    return {
        "made": {**made, **(settings[0] if settings else {})},
        "rows": bare,
        "claims": [claim._asdict() for claim in claims(bare)],
    }


def as_text(table: Mapping[str, Any]) -> str:
    """The table, and what holds, for a terminal."""
    lines = [list(COLUMNS), *([show(row) for show in COLUMNS.values()] for row in table["rows"])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*shown, "", *_claims(table["claims"])])


def _claims(found: Iterable[Mapping[str, str]]) -> Iterable[str]:
    for claim in found:
        yield f"{claim['verdict'].upper()}: {claim['theirs']}"
        yield f"    here: {claim['ours']}"
