"""What a report says of an evaluation."""

import pytest

from evaluated import planted_evaluation
from html_page import make_run, report
from unetdyn import runs
from unetdyn.evaluation import write_run_evaluation
from unetdyn.report.page.evaluation import MOST_SECTIONS, evaluation_content

EVIL = ("<script>alert(1)</script>", "<b>b", "c", "d")


@pytest.fixture
def run(tmp_path):
    writer = make_run(tmp_path / "run", epochs=3, arrays=False)
    write_run_evaluation(planted_evaluation(names=EVIL), writer.path / "evaluation.json")
    return writer.path


def test_a_run_that_was_not_evaluated_has_no_such_part(tmp_path):
    path = make_run(tmp_path / "run", epochs=3, arrays=False).path
    assert evaluation_content(runs.open(path), "run1") is None


def test_page_shows_scores_and_pictures_and_names_are_text(run, tmp_path):
    page = report(tmp_path, run)
    assert page.faults == []
    assert not page.all("script", "b", "i")
    found = planted_evaluation(names=EVIL).found
    assert "Evaluation" in page.texts("h2")
    captions = page.texts("figcaption")
    shown = ["The sections that score worst", "Scores of each section", "The threshold", "Calibration", "Six IoUs"]
    assert [each for each in captions if each in shown] == shown
    assert not any("could not be drawn" in text for text in page.texts("p"))
    cells = page.texts("td")
    assert "0.3, chosen on validation" in cells
    rows = page.texts("tr")
    jaccard = found.whole["jaccard"]
    assert any(row.startswith(f"Jaccard {jaccard.value:.3g} ") and row.endswith(" 4") for row in rows)
    assert sum(row.startswith(("object ", "background ", "two class mean ", "soft ")) for row in rows) == 4
    assert any(row.startswith(found.worst(1)[0].name) for row in rows)


def test_a_damaged_evaluation_costs_its_own_part_only(run, tmp_path):
    (run / "evaluation.json").write_text("{}", encoding="utf-8")
    page = report(tmp_path, run)
    assert any(text.startswith("The evaluation could not be read: ") for text in page.texts("p"))
    assert "Epochs" in page.texts("h2")


def test_without_pictures_or_validation_the_rest_is_shown(run):
    write_run_evaluation(planted_evaluation(chosen=False), run / "evaluation.json")
    (run / "evaluation.npz").unlink()
    found = evaluation_content(runs.open(run), "run1")
    assert found.worst is None
    assert ("threshold", "0.3, nobody chose it") in found.rows
    assert not any(name == "on validation" for name, _ in found.rows)


def test_many_sections_show_the_worst(run):
    evaluation = planted_evaluation(sections=MOST_SECTIONS + 2)
    write_run_evaluation(evaluation, run / "evaluation.json")
    found = evaluation_content(runs.open(run), "run1", full=False)
    assert len(found.sections) == MOST_SECTIONS
    assert found.note.startswith("2 of 32 sections are left out here")
    assert found.sections[0][0] == evaluation.found.worst(1)[0].name
    assert found.pictures == []
