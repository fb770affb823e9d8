"""The report as a page: complete in itself, well formed, accessible, and what stands in it."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import unetdyn.runs
from html_page import make_run, report
from unetdyn.analysis import diagnose
from unetdyn.report import write_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "calm", optimizer={"learning_rate": 1e-3}, model="unet")
    make_run(folder / "wild", wild=0.4, optimizer={"learning_rate": 1e-2}, model="unet")
    return folder


@pytest.fixture(scope="module")
def single(folder, tmp_path_factory):
    return report(tmp_path_factory.mktemp("single"), folder / "calm")


@pytest.fixture(scope="module")
def double(folder, tmp_path_factory):
    return report(tmp_path_factory.mktemp("double"), folder / "calm", folder / "wild")


@pytest.fixture(params=["single", "double"])
def page(request):
    return request.getfixturevalue(request.param)


def test_page_is_well_formed(page):
    assert page.faults == []
    assert [element[0] for element in page.elements[:2]] == ["html", "head"]
    assert page.all("html")[0][1]["lang"] == "en"


def test_page_needs_nothing_from_elsewhere(page):
    assert not page.all("script", "link", "iframe", "object", "base")
    for _, attributes, _ in page.elements:
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png")), value
        assert not any(name.startswith("on") for name in attributes)
    css = page.texts("style")
    assert css
    assert not any("@import" in text or "http" in text or "url(" in text.replace("url(#", "") for text in css)


def test_headings_come_in_order(page):
    levels = [int(tag[1]) for tag, _, _ in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_ids_are_unique_and_every_reference_has_one(page):
    ids = Counter(attributes["id"] for _, attributes, _ in page.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    used = re.findall(r"url\(#([^)]+)\)", str([attributes for _, attributes, _ in page.elements]))
    for _, attributes, _ in page.elements:
        used += [attributes[key][1:] for key in ("href", "xlink:href") if attributes.get(key, "").startswith("#")]
        used += [attributes["aria-labelledby"]] if "aria-labelledby" in attributes else []
    assert used
    assert set(used) <= set(ids)


def test_tables_have_headers_with_a_scope(page):
    assert page.all("table")
    assert all(attributes.get("scope") in ("row", "col") for _, attributes, _ in page.all("th"))
    assert len(page.all("th")) > 10


def test_tables_have_a_name(page):
    names = [attributes.get("aria-label", "") for _, attributes, _ in page.all("table")]
    assert all(names)
    assert len(set(names)) == len(names)


def test_symbols_are_not_read_aloud(page):
    symbols = {" ".join(texts).strip() for _, attributes, texts in page.all("span") if "aria-hidden" in attributes}
    assert symbols
    assert symbols <= {"?", "✓", "i", "!", "✕"}
    for _, attributes, texts in page.all("span", "p"):
        if attributes.get("class") in ("level", "word"):
            assert " ".join(texts).strip()[0] in symbols


def test_keyboard_can_skip_the_list_of_runs(single, double):
    _, attributes, texts = double.all("a")[0]
    assert (attributes["href"], texts) == ("#summary", ["Skip the list of runs"])
    assert not single.all("a")


def test_pictures_have_a_role_and_say_what_they_show(page):
    pictures = page.all("svg")
    assert len(pictures) >= 6
    for _, attributes, _ in pictures:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 10
    assert any("best validation 0." in attributes["aria-label"] for _, attributes, _ in pictures)
    assert len(page.all("figcaption")) == len(pictures)


def test_single_run_has_verdict_pictures_epochs_and_origin(single):
    assert single.texts("title") == ["Training report: calm"]
    headings = ["Summary", "Pictures", "Epochs", "Configuration and versions"]
    assert single.texts("h2") == headings
    titles = [
        "Loss, Jaccard and learning rate",
        "Stability",
        "Where it is heading",
        "Gradient norm",
        "Gradient by block",
        "Updates by block",
    ]
    assert single.texts("figcaption") == titles
    assert single.texts("article")[0].startswith("✓ Healthy")
    rows = single.texts("tr")
    assert "test jaccard 0.71" in rows
    assert "seed 7" in rows
    assert "learning_rate: 0.001" in single.texts("pre")[0]
    assert f"unetdyn {unetdyn.__version__}" in rows


def test_epochs_are_those_of_the_run(single, folder):
    recorded = unetdyn.runs.open(folder / "calm").history
    header = single.texts("thead")[0].split()
    assert header == ["epoch", "loss", "val_loss", "jaccard", "val_jaccard", "learning_rate", "seconds"]
    rows = [row.split() for row in single.texts("tr") if re.match(r"\d", row)]
    assert len(rows) == 24
    best = int(np.argmax(recorded["val_jaccard"]))
    for epoch, row in enumerate(rows):
        if epoch == best:
            assert row.pop(1) == "best"
        assert int(row[0].rstrip(",")) == epoch + 1
        for name, cell in zip(header[1:], row[1:], strict=True):
            assert float(cell) == pytest.approx(recorded[name][epoch], rel=1e-3)


def test_several_runs_begin_with_a_comparison_that_says_which_is_ill(double):
    assert double.texts("title") == ["Training report: 2 runs"]
    assert double.texts("h2") == ["Summary", "Side by side", "calm", "wild"]
    assert double.texts("nav") == ["calm ✓ Healthy wild ✕ Ill"]
    cards = double.texts("article")
    assert cards[0].startswith("calm ✓ Healthy")
    assert cards[1].startswith("wild ✕ Ill Its validation Jaccard")
    rows = {row.split()[0]: row for row in double.texts("tr") if row.startswith(("calm", "wild"))}
    assert "✓ Healthy" in rows["calm"]
    assert "✕ Ill" in rows["wild"]
    assert double.texts("figcaption")[:2] == ["The metric of all runs", "Good and calm"]


@pytest.fixture(scope="module")
def wild(folder, tmp_path_factory):
    return report(tmp_path_factory.mktemp("wild"), folder / "wild")


def test_ill_run_begins_with_its_findings_and_all_their_parts(wild, folder):
    assert wild.faults == []
    found = diagnose(unetdyn.runs.open(folder / "wild"))
    (card,) = wild.texts("article")
    assert found.headline
    assert card.startswith(f"✕ Ill {found.sentence} test jaccard 0.71 ✕ {found.headline[0].name}")
    parts = [part for finding in found.headline for part in finding.parts]
    shown = list(zip(wild.texts("dt"), wild.texts("dd"), strict=True))
    assert shown[: len(parts)] == [(heading, " ".join(text.split())) for heading, text in parts]
    assert wild.texts("h2") == ["Summary", "Pictures", "Epochs", "Configuration and versions"]
    assert wild.texts("h3") == [
        f"{each.symbol} {each.name} {each.code}" for each in (*found.headline, *found.observations)
    ]
    assert wild.texts("figcaption")[0] == "What the verdict rests on"


def test_what_did_no_harm_and_was_not_looked_at_is_folded(single, wild, folder):
    for page, name in ((single, "calm"), (wild, "wild")):
        found = diagnose(unetdyn.runs.open(folder / name))
        opened = {
            " ".join("".join(texts).split()): "open" in attributes for _, attributes, texts in page.all("details")
        }
        titles = page.texts("summary")
        assert titles[0] == f"What was looked at ({len(found.rows)})"
        assert titles[-2:] == [
            f"Not looked at, and what would supply it ({len(found.lacking)})",
            "What makes a run ill",
        ]
        assert [is_open for text, is_open in opened.items() if text.startswith("What was looked at")] == [
            name == "calm"
        ]
        for supplier, codes in found.lacking.items():
            assert f"{supplier} : {', '.join(codes)}" in page.texts("li")


def contrast(one, other):
    """WCAG 2.2: the ratio of relative luminances."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_has_enough_contrast_in_light_dark_and_print(single):
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    palettes = re.findall(r":root\s*\{(.*?)\}", single.texts("style")[0])
    assert len(palettes) == 3
    for palette in palettes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", palette))
        for name in ("text", "faint", "good", "watch", "ill", "unknown", "info", "link"):
            for ground in ("page", "card"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground, palette)


def test_report_loads_no_keras(folder, tmp_path):
    code = (
        "import sys; from unetdyn.report import write_report; write_report(sys.argv[1], sys.argv[2]);"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'IPython') if name in sys.modules])"
    )
    arguments = [sys.executable, "-W", "error", "-c", code, str(folder / "calm"), str(tmp_path / "report.html")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to open the report with")
def test_browser_opens_the_report_without_a_complaint(folder, tmp_path):
    path = write_report([folder / "calm", folder / "wild"], tmp_path / "report.html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0", "--dump-dom"]
    done = subprocess.run(["chromium", *flags, path.as_uri()], capture_output=True, text=True, timeout=60)
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") == path.read_text(encoding="utf-8").count("<svg") > 0
