"""The page of controls says what was measured; `make docs-controls` writes it anew."""

import json

from scripts_by_path import docs_module


def test_page_is_what_the_measurement_makes_of_it():
    page = docs_module("controls_table")
    section = page.controls_section(json.loads(page.MEASURED.read_text(encoding="utf-8")))
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_section(text, section) == text, "run `make docs-controls`"
