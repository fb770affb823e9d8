"""The page of many runs: what is missing first, numbers of planted effects, a sentence where there are too few runs."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from html_page import Page
from planted_sweeps import planted_sweep, rows_of, write_run
from unetdyn.analysis import Curve, summarise
from unetdyn.analysis.comparison.gathering import table_of_runs
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.comparison.table_statistics import statistics_of
from unetdyn.report.sweep_page.curves import MOST, curves_section
from unetdyn.report.sweep_page.html import write_sweep_report
from unetdyn.sweeps.analysing import analyse

TWO = {"optimizer.learning_rate": {0.001: 0.0, 0.005: -0.04}}
THREE = {
    "model.architecture": {"UNet": 0.0, "AttentionUNet": 0.03, "AttentionResUNet": 0.045},
    "optimizer.learning_rate": {0.001: 0.0, 0.005: -0.04},
    "fit.batch_size": {8: 0.0, 16: 0.0},
}


class SweepPage(Page):
    """A page of many runs by its sections and tables."""

    @property
    def headings(self):
        return self.texts("h2")

    def table(self, label):
        """Head of each row → its cells; the first table of that label."""
        place = next(
            i for i, (tag, attrs, _) in enumerate(self.elements) if attrs.get("aria-label") == label and tag == "table"
        )
        rows = {}
        for tag, attrs, texts in self.elements[place + 1 :]:
            if tag == "table":
                break
            text = " ".join(" ".join(texts).split())
            if tag == "th" and attrs.get("scope") == "row":
                rows[text] = []
            elif tag == "td":
                rows[list(rows)[-1]].append(text)
        return rows


def page_of(found, folder, **kwargs):
    text = write_sweep_report(found, folder / "report.html", **kwargs).read_text(encoding="utf-8")
    page = SweepPage(text)
    assert page.faults == []
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "could not be drawn" not in text
    assert not page.all("script", "link", "img")
    return page


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """3 × 2 × 2 with three seeds, five of whose runs are missing, and one ill: the folder, the statistics, the page."""
    folder = tmp_path_factory.mktemp("big")
    sweep = planted_sweep(
        folder / "sweep", rows_of(THREE), missing=(12, 34, 35, 36), failed=(20,), ill=(5,), effects=THREE
    )
    found = analyse(sweep, max_sigma=0.003)
    return folder, found, page_of(found, folder)


def test_sections_stand_in_their_order_and_missing_cells_first(big):
    assert big[2].headings == [
        "What is missing",
        "What to take",
        "Which architecture for what",
        "What makes a difference",
        "What the tests suppose",
        "The effects",
        "Where the variance comes from",
        "Learning rate and batch size",
        "Good and calm",
        "Importance beside the tests",
        "Learning curves",
        "What one more day of runs would buy",
        "All runs",
        "Notes",
    ]


def test_missing_rows_are_told_with_cell_seed_and_reason(big):
    page = big[2]
    missing = page.table("Missing runs")
    assert list(missing) == ["0012", "0020", "0034", "0035", "0036"]
    assert missing["0020"] == ["AttentionUNet, learning rate 0.005, batch size 8", "1", "failed"]
    sentences = page.texts("p")
    assert "5 of 36 runs are not in what follows (n = 31)." in sentences
    assert any(
        each.startswith("Cells without any run, 1 of 12: AttentionResUNet, learning rate 0.005, batch size 16.")
        for each in sentences
    )


def test_planted_effects_are_in_the_tests_and_the_noise_is_not(big):
    _, found, page = big
    tests = page.table("Analysis of variance")
    for name, effect in found.anova.effects.items():
        cells = tests[name.replace("_", " ")]
        assert float(cells[1]) == pytest.approx(effect.f, rel=0.01)
        assert float(cells[2]) == pytest.approx(effect.p, rel=0.01)
        assert float(cells[3]) == pytest.approx(found.adjusted[name], rel=0.01)
        assert float(cells[5]) == pytest.approx(found.robust.tests[name].permutation_p, rel=0.01)
        size = found.sizes.effects[name]
        value, low, high = map(float, re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", cells[6]).groups())
        assert (low, value, high) == pytest.approx((size.low, size.partial_eta_squared, size.high), abs=0.005)
    sure = "Architecture and learning rate make a difference that chance does not explain (Holm, 6 tests)."
    assert sure in page.texts("p")
    assert float(tests["batch size"][2]) > 0.05


def test_decision_matrix_is_the_first_table_after_what_is_missing(big):
    _, found, page = big
    labels = [attrs["aria-label"] for tag, attrs, _ in page.all("table")]
    open_tables = [each for each in labels if not each.startswith("How probable")]
    assert open_tables[:3] == ["Missing runs", "Criteria by architecture", "What to take for which priority"]
    matrix = page.table("Criteria by architecture")
    levels = list(found.matrix.levels)
    standings = found.matrix.criteria["performance"]
    for level, cell in zip(levels, matrix["performance"], strict=True):
        assert float(cell.split()[0]) == pytest.approx(standings[level].mean, abs=0.001)
    assert matrix["performance"][levels.index("UNet")].endswith("✗ behind")
    assert "✓ best" in matrix["performance"][levels.index("AttentionResUNet")]


def test_advice_is_a_sentence_with_its_evidence(big):
    _, found, page = big
    (advice,) = [each for each in page.texts("p") if each.startswith("Take ")]
    assert advice == " ".join(found.advice.sentence.split())
    assert advice.startswith("Take AttentionResUNet, learning rate 0.001, batch size ")
    assert len(re.findall(r"\(n = \d+", advice)) == 2


def test_all_runs_link_to_their_directories_and_ill_ones_are_marked(big):
    folder, found, page = big
    rows = page.table("All runs")
    assert len(rows) == 31
    assert rows["0005"][0] == "✗ ill"
    assert rows["0001"][:5] == ["", "UNet", "0.001", "8", "0"]
    hrefs = [attrs["href"] for tag, attrs, _ in page.all("a") if "runs/" in attrs["href"]]
    assert len(hrefs) == 31
    assert all((folder / href / "run.json").is_file() for href in hrefs)
    assert list(page.table("Ill runs")) == ["0005"]
    assert page.table("Ill runs")["0005"] == [next(run.ill for run in found.table.runs if run.ill)]


def test_every_section_has_its_n(big):
    text = " ".join(big[2].texts("main"))
    for title, following in zip(big[2].headings, [*big[2].headings[1:], None], strict=True):
        part = text.split(title, 1)[1]
        part = part if following is None else part.split(following, 1)[0]
        if title not in ("Notes", "The effects"):  # the pictures of these say it
            assert re.search(r"\bn = \d+|31 runs", part), title
    labels = [attrs["aria-label"] for tag, attrs, _ in big[2].all("svg")]
    lacking = [label for label in labels if not re.search(r"31 runs|n\s=\s\d+", label)]
    assert [label.split(":")[0] for label in lacking] == ["Means of the cells"]  # whose section says it


def test_page_has_a_picture_of_each_kind(big):
    titles = big[2].texts("figcaption")
    assert titles == [
        "Residuals",
        "Main effects",
        "Interactions",
        "σ ∝ α^β",
        "Means of the cells: architecture · learning rate · batch size",
        "fANOVA's shares and η²",
        "Cells 1 to 6 of 11",
        "Cells 7 to 11 of 11",
    ]


def test_a_whole_sweep_has_nothing_about_missing(tmp_path):
    found = analyse(planted_sweep(tmp_path / "sweep", rows_of(TWO), effects=TWO))
    page = page_of(found, tmp_path)
    assert page.headings[0] == "What to take"
    assert "6 of 6 runs." in page.texts("p")[0]
    assert "σ ∝ α^β" in page.texts("figcaption")
    assert "It needs several architectures, and another factor that groups the runs." in page.texts("p")
    assert "No bound of σ was asked for ( --max-sigma )." in page.texts("p")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_runs_are_told_in_sentences_instead_of_empty_pictures(tmp_path, count):
    rates = (0.001, 0.005)[:count]
    paths = [write_run(tmp_path / str(rate), {"optimizer.learning_rate": rate}, 0, 0.7) for rate in rates]
    page = page_of(statistics_of(table_of_runs(paths)), tmp_path, kind="Comparison")
    assert page.texts("title") == [f"Comparison: {'0.001' if count == 1 else '2 runs'}"]
    sentences = page.texts("p")
    assert any(each.startswith(("Nothing can be recommended", "Take ")) for each in sentences)
    assert f"It needs 3 runs at least: n = {count}." in sentences
    assert page.texts("figcaption") == ["All cells"]


def test_runs_without_factors_and_without_epochs_in_common(tmp_path):
    """The same settings, with other seeds: nothing to compare, but what there is is shown."""
    paths = [write_run(tmp_path / f"seed{seed}", {"model.depth": 3}, seed, 0.7 + 0.01 * seed) for seed in range(4)]
    page = page_of(statistics_of(table_of_runs(paths)), tmp_path, kind="Comparison")
    assert "No setting groups the runs (n = 4): what differs, differs in every one of them." in page.texts("p")
    assert any(each.startswith("Seeds scatter by σ = ") for each in page.texts("p"))
    assert len(page.table("All runs")) == 4


def test_a_sweep_that_has_not_begun_has_a_page(tmp_path):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=range(1, 7), effects=TWO)
    page = page_of(analyse(sweep), tmp_path)
    assert page.headings[:2] == ["What is missing", "What to take"]
    assert "Nothing can be recommended: no run has ended well yet." in page.texts("p")
    assert page.texts("figcaption") == []


def test_what_runs_hold_is_text_and_never_markup(tmp_path):
    bad = "<script>alert(1)</script>"
    effects = {"model.architecture": {bad: 0.0, "$x_1$": 0.1}}
    found = analyse(planted_sweep(tmp_path / "sweep", rows_of(effects, seeds=(0, 1)), effects=effects))
    text = write_sweep_report(found, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_many_cells_are_folded_and_the_rest_counted():
    curve = Curve(np.arange(3), np.array([0.1, 0.5, 0.6]))
    runs = [summarise({"val_jaccard": curve.values}, f"run {cell}", {"tile": cell}) for cell in range(MOST + 2)]
    table = RunTable("tiles", tuple(runs), {"tile": tuple(range(MOST + 2))}, curves={run.name: curve for run in runs})
    section = curves_section(SimpleNamespace(table=table))
    grid, folded = section.parts
    assert [each.title for each in grid.items] == ["Cells 1 to 6 of 38", "Cells 7 to 12 of 38"]
    assert (folded.count, folded.parts[0].items[-1].title) == (24, "Cells 31 to 36 of 38")
    assert section.notes == ["The curves of 2 cells more are left out."]
    assert all("<svg" in each.svg for each in (*grid.items, *folded.parts[0].items))


def test_two_hundred_runs_are_folded(tmp_path):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO, seeds=range(100)), effects=TWO)
    page = page_of(analyse(sweep), tmp_path)
    assert "All runs (200)" in page.texts("summary")
    assert len(page.table("All runs")) == 200
    assert "n = 200; 0 of them are ill, as unetdyn diagnose says." in page.texts("p")
    (effect,) = page.table("Analysis of variance").values()
    assert float(effect[2]) < 1e-10


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to open the page with")
def test_browser_opens_the_page_without_a_complaint(big, tmp_path):
    path = big[0] / "report.html"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0", "--dump-dom"]
    done = subprocess.run(["chromium", *flags, path.as_uri()], capture_output=True, text=True, timeout=60)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") == path.read_text(encoding="utf-8").count("<svg") > 0


def test_a_page_must_end_in_html_and_lie_in_a_folder(tmp_path):
    found = analyse(planted_sweep(tmp_path / "sweep", rows_of(TWO, seeds=(0,)), effects=TWO))
    with pytest.raises(ValueError, match=r"`path` must end in \.html"):
        write_sweep_report(found, tmp_path / "report.pdf")
    with pytest.raises(FileNotFoundError, match=r"make the folder .*absent first"):
        write_sweep_report(found, tmp_path / "absent" / "report.html")
