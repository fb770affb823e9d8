"""The page of the studies' table says what was measured; `make docs-reproduction` writes it anew."""

import json

from scripts_by_path import docs_module


def test_page_is_what_the_measurement_makes_of_it():
    page = docs_module("reproduction_page")
    measured, small = (json.loads(path.read_text(encoding="utf-8")) for path in (page.MEASURED, page.SMALL))
    assert page.reproduction_page(measured, small) == page.PAGE.read_text(encoding="utf-8"), (
        "run `make docs-reproduction`"
    )
