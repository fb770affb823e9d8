"""The page of controls says what was measured; `make docs-controls` writes it anew."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr("sys.path", sys.path.copy())  # the page adds the benchmarks to it
    spec = importlib.util.spec_from_file_location("controls_table", DOCS / "controls_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_measurement_makes_of_it(page):
    section = page.controls_section(json.loads(page.MEASURED.read_text(encoding="utf-8")))
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_section(text, section) == text, "run `make docs-controls`"
