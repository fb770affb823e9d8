"""The map of the studies names what there is."""

import importlib
import re
from pathlib import Path

import pytest

from unetdyn.analysis import STUDIES_TABLES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
ROOMS = "analysis|callbacks|data|experiment|losses|metrics|models|optimizers|report|runs|schedules"
NAMES = sorted(set(re.findall(rf"`((?:{ROOMS})(?:\.\w+)+)", PAGE)))


@pytest.mark.parametrize("name", NAMES)
def test_name_in_the_map_exists(name):
    room, *path = name.split(".")
    found = importlib.import_module(f"unetdyn.{room}")
    for part in path:
        assert hasattr(found, part), f"docs/studies.md names {name}, which does not exist"
        found = getattr(found, part)


def test_tables_files_and_examples_in_the_map_exist():
    assert set(re.findall(r'STUDIES_TABLES\["([^"]+)"\]', PAGE)) <= set(STUDIES_TABLES)
    files = re.findall(r"\]\(([\w./-]+)\)", PAGE)
    assert [name for name in files if not (ROOT / "docs" / name).exists()] == []
    assert {"../examples/studies_script.py", "../configs/studies_mended.yaml", "studies_tables.md"} <= set(files)


def test_each_row_says_what_became_of_it():
    """A name, or whose it is, or that it was left out; what is left out says why."""
    heads = [row for row in ROWS if row[0] == "| the text"]
    assert len(heads) == 5
    for row in (row for row in ROWS if row[0] != "| the text"):
        assert len(row) == 3, row
        assert re.search(r"`|\]\(|Keras' own|left out", row[1]), row
        assert "left out" not in row[1] or len(row[2].strip(" |")) > 5, row


def test_names_are_many_enough_to_be_a_map():
    assert len(NAMES) > 60
