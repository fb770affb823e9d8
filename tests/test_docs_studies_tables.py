"""The page of the studies' tables says what the tables say; `make docs-studies` writes it anew."""

from scripts_by_path import docs_module
from unetdyn.analysis import STUDIES_TABLES


def test_page_is_what_the_tables_make_of_it():
    page = docs_module("studies_tables_page")
    assert page.studies_tables_page(STUDIES_TABLES) == page.PAGE.read_text(encoding="utf-8"), "run `make docs-studies`"
