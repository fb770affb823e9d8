"""The pages of findings say what the rules and the benchmark say; `make docs-findings` writes them anew."""

import json

import pytest

from scripts_by_path import REPOSITORY, docs_module
from unetdyn.analysis.diagnosis.registry import RULES


@pytest.fixture(scope="module")
def page():
    return docs_module("findings_page")


@pytest.fixture(scope="module")
def measured(page):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(page.MEASURED.read_text(encoding="utf-8"), parse_constant=refuse)


def test_findings_page_is_what_the_rules_make_of_it(page, measured):
    assert page.findings_page(measured) == page.FINDINGS.read_text(encoding="utf-8"), "run `make docs-findings`"


def test_figures_are_those_of_the_benchmark(page, measured):
    text = page.DIAGNOSIS.read_text(encoding="utf-8")
    assert page.with_figures(text, measured) == text, "run `make docs-findings`"


def test_figures_in_the_readme_are_those_of_the_benchmark(measured):
    readme = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    of = measured["judges"]["unetdyn, every monitor"]["all"]
    assert of["healthy ill"]["hits"] == 0
    assert f"In {measured['made']['trained']} short trainings, on which its rules were tuned too," in readme
    assert f"none of {of['healthy ill']['of']} healthy ones" in readme
    noticed, named = of["harmful alarmed"], of["accepted cause first"]["hits"]
    assert f'({of["healthy watch"]["hits"]} "watch"); {noticed["hits"]} of {noticed["of"]} with' in readme
    assert f"were noticed, {named} with an acceptable cause first" in readme
    replanted = measured["made"]["replanted_at_first"]
    assert f"{replanted['noticed']} of {replanted['of']} were noticed, {replanted['named']} named" in readme
    unseen = measured["made"]["unseen_at_first"]
    assert f"{unseen['noticed']} of {unseen['of']} were noticed, {unseen['named']} with an acceptable" in readme


def test_every_code_that_can_be_watch_or_ill_has_a_heading(page):
    headings = set(page.FINDINGS.read_text(encoding="utf-8").splitlines())
    assert not {f"### `{limit.code}`" for rule in RULES for limit in rule.LIMITS if limit.watch or limit.ill} - headings


def test_pictures_are_small_and_there(page):
    for code in page.PICTURES:
        assert 0 < (REPOSITORY / "docs" / page.picture(code)).stat().st_size < 60_000
