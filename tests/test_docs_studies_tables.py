"""The page of the studies' tables says what the tables say; `make docs-studies` writes it anew."""

import importlib.util
from pathlib import Path

from unetdyn.analysis import STUDIES_TABLES

DOCS = Path(__file__).parents[1] / "docs"


def test_page_is_what_the_tables_make_of_it():
    spec = importlib.util.spec_from_file_location("studies_tables_page", DOCS / "studies_tables_page.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.studies_tables_page(STUDIES_TABLES) == page.PAGE.read_text(encoding="utf-8"), "run `make docs-studies`"
