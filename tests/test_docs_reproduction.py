"""The page of the studies' table says what was measured; `make docs-reproduction` writes it anew."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr("sys.path", sys.path.copy())  # the page adds the benchmarks to it
    spec = importlib.util.spec_from_file_location("reproduction_page", DOCS / "reproduction_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_what_the_measurement_makes_of_it(page):
    measured, small = (json.loads(path.read_text(encoding="utf-8")) for path in (page.MEASURED, page.SMALL))
    assert page.reproduction_page(measured, small) == page.PAGE.read_text(encoding="utf-8"), (
        "run `make docs-reproduction`"
    )
