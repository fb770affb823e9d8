"""Writes the section "Do they help?" of docs/controls.md from what benchmarks/controls.py measured.

python docs/controls_table.py
"""

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGE, BENCHMARKS = DOCS / "controls.md", DOCS.parent / "benchmarks"
MEASURED = BENCHMARKS / "truth" / "controls.json"
BEGIN, END = "<!-- from benchmarks/truth/controls.json: make docs-controls -->", "<!-- so far -->"

sys.path.insert(0, str(BENCHMARKS))

from controls_cases.table import PLATEAU, cases, compared, sentences, tables  # noqa: E402

_WIDTH = 120


def controls_section(measured: Mapping[str, Any]) -> str:
    """What stands between the two marks."""
    rows, made = measured["rows"], measured["made"]
    found = [each for setup, data in cases(rows) for each in compared(rows, data, setup)]
    seeds = sorted({each.seeds for each in found})
    setups = "; ".join(f"*{name}*, {rate:g} with batches of {size}" for name, (rate, size) in made["setups"].items())
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    parts = [
        _paragraph(
            f"`UNet(filters=8, depth=3)` on {made['tiles'][0]} tiles of {made['side']}×{made['side']} (18 nm), "
            f"{made['tiles'][1]} of other sections to validate on, {made['epochs']} epochs of binary cross-entropy. "
            f"Rates of Adam: {setups}. *synthetic* is `data.synthetic_em`, *vnc* the real sections of "
            "[real_data.md](real_data.md). "
            f"{len(rows)} trainings, {sum(row['seconds'] for row in rows) / 60:.0f} minutes of a core, on "
            f"{made['machine']}; {versions}."
        ),
        _paragraph(
            f"{'–'.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds, each of which decides the weights and "
            "the order of the tiles of a control and of nothing alike. σ is that of the validation loss over the last "
            "ten epochs (a median; of the quotients the geometric mean), Jaccards are of the validation (means). In "
            "brackets: 95 % intervals of the mean of the paired differences, by Student's t, of σ on logarithms. "
            "*same*: it had nothing to do. Of so many intervals one in twenty misses 0 by chance."
        ),
        *tables(rows),
        _list(sentences(rows)),
        _paragraph(f"Against {PLATEAU} instead of nothing, by the same seeds:"),
        _list(sentences(rows, PLATEAU)),
    ]
    return "\n\n".join(parts)


def with_section(page: str, section: str) -> str:
    """The page with the section between its marks.

    >>> with_section(f"a\\n{BEGIN}\\nold\\n{END}\\nb", "new").splitlines()[3]
    'new'
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{section}\n\n{END}{after}"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in lines)


def _paragraph(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    section = controls_section(json.loads(MEASURED.read_text(encoding="utf-8")))
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), section), encoding="utf-8")
