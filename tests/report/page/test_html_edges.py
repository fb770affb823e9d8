"""Reports of what is not as it should be: hostile texts, broken runs, odd histories, wrong arguments."""

import math
import re

import numpy as np
import pytest

from html_page import make_run, report
from unetdyn.report import write_report
from unetdyn.runs import RunWriter

EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A sound run to stand beside."""
    return make_run(tmp_path_factory.mktemp("runs") / "other", arrays=False).path


def test_what_a_run_contains_is_text(tmp_path):
    writer = make_run(tmp_path / "<b>name<i>", epochs=3, arrays=False, finish=False, **{EVIL: EVIL, "list": [EVIL]})
    writer.event("monitor", f"Trouble: {EVIL}", monitor=EVIL, epoch=1)
    writer.log_epoch(3, {"loss": 0.5, "val_<img src=x>": 1.0})
    writer.finish("failed", {"error": EVIL, "test_<u>": 0.5})
    page = report(tmp_path, writer.path)
    assert page.faults == []
    assert not page.all("script", "img", "b", "i", "u")
    text = page.texts("body")[0]
    assert text.count("<script>alert('x')</script>&") >= 4
    assert "Training report: <b>name<i>" in page.texts("h1")[0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("running", "still running, or killed, after 24 epochs"),
        ("failed", "failed after 24 epochs: OSError: full"),
        ("interrupted", "interrupted after 24 epochs"),
    ],
)
def test_unfinished_run_is_reported_as_far_as_it_came(tmp_path, status, words):
    writer = make_run(tmp_path / "run", finish=False, arrays=False)
    if status != "running":
        writer.finish(status, {"error": "OSError: full"})
    page = report(tmp_path, writer.path)
    assert words in page.texts("article")[0]
    assert status in page.texts("main")[0]


def test_line_that_was_cut_off_is_noted(tmp_path):
    writer = make_run(tmp_path / "run", finish=False, arrays=False)
    with (writer.path / "epochs.jsonl").open("a") as file:
        file.write('{"epoch": 24, "lo')
    assert "epochs.jsonl: the last line was not written to its end" in report(tmp_path, writer.path).texts("main")[0]


@pytest.mark.parametrize(
    "epochs",
    [
        [{"loss": 0.5}],
        [{"loss": 0.5}] * 3,
        [{"loss": math.nan, "val_loss": math.inf, "val_jaccard": math.nan}] * 12,
        [{"loss": 0.5, **({"val_loss": 0.4, "val_jaccard": 0.1 * i} if i % 3 == 2 else {})} for i in range(12)],
        [{"val_loss": 0.5, "seconds": 1.0}] * 2,
        [{"val_jaccard": 0.5, "jaccard": 0.5}] * 12,
        [{"grad_vanishing_blocks": 0}] * 2,
    ],
    ids=["one epoch", "no validation", "not finite", "rare validation", "only validation", "no loss", "no curve"],
)
def test_any_history_has_a_report_beside_another(tmp_path, epochs, other):
    writer = RunWriter(tmp_path / "run")
    for epoch, logs in enumerate(epochs):
        writer.log_epoch(epoch, logs)
    page = report(tmp_path, writer.path, other)
    assert page.faults == []
    assert page.texts("h2")[-2:] == ["run", "other"]


def test_run_without_a_loss_is_told_by_its_metric(tmp_path):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(24):
        writer.log_epoch(epoch, {"val_jaccard": 0.8 - 0.7 * math.exp(-epoch / 3)})
    writer.finish()
    page = report(tmp_path, writer.path)
    assert page.texts("figcaption") == ["Where it is heading"]
    card = page.texts("article")[0]
    assert "best 0.8 at epoch 24" in card
    assert card.startswith("? Too little to tell Nothing speaks against it yet; no loss was logged.")


STEPS = np.arange(4)


@pytest.mark.parametrize(
    ("arrays", "caption", "why"),
    [
        ({"step": STEPS, "grad_norm": np.ones(3)}, "Gradient norm", "must have same first dimension"),
        ({"step": STEPS, "noise_scale": np.ones(4)}, "Gradient noise scale", "must be what NoiseScaleMonitor recorded"),
        (
            {"step": STEPS, "applied": STEPS < 0, "update_ratio": {"enc1": np.full(4, np.nan)}},
            "Updates by block",
            "4 steps, all of them skipped",
        ),
    ],
    ids=["too few values", "not the monitor's", "nothing applied"],
)
def test_picture_that_fails_says_why_and_the_page_has_the_others(tmp_path, arrays, caption, why):
    writer = make_run(tmp_path / "run", epochs=3)
    writer.save_arrays("mine", **arrays)
    page = report(tmp_path, writer.path)
    assert page.faults == []
    failed = [text for text in page.texts("figure") if "could not be drawn" in text]
    assert len(failed) == 1
    assert failed[0].startswith(f"{caption} This picture could not be drawn: ")
    assert why in failed[0]
    assert len(page.all("svg")) == 7


def test_damaged_file_costs_its_own_pictures_only(tmp_path):
    writer = make_run(tmp_path / "run", epochs=3)
    (writer.path / "dynamics/gradient.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.warns(
        UserWarning, match=r"What 'gradient' recorded is left out: .* is damaged: File is not a zip file"
    ):
        page = report(tmp_path, writer.path)
    failed = [text for text in page.texts("figure") if "could not be drawn" in text]
    assert len(failed) == 1
    assert failed[0].startswith("What 'gradient' recorded This picture could not be drawn: ")
    assert failed[0].endswith("gradient.npz is damaged: File is not a zip file.")
    assert page.texts("figcaption")[-1] == "Updates by block"


def test_arrays_of_any_shape_make_no_picture(tmp_path):
    writer = make_run(tmp_path / "run", epochs=3, arrays=False)
    writer.save_arrays("mine", step=3, weights=np.ones((2, 2)))
    assert len(report(tmp_path, writer.path).texts("figcaption")) == 4


def test_summary_may_hold_anything(tmp_path):
    writer = make_run(tmp_path / "run", epochs=3, arrays=False, finish=False)
    writer.finish("finished", {"test_classes": [0.5, 0.6], "test_jaccard": "n/a", "test_dice": 0.5})
    rows = report(tmp_path, writer.path).texts("tr")
    assert {"test classes [0.5, 0.6]", "test jaccard n/a", "test dice 0.5"} <= set(rows)


def test_long_training_is_small_and_shows_thirty_epochs(tmp_path):
    writer = RunWriter(tmp_path / "run")
    lines = (f'{{"epoch": {i}, "loss": {1 / (i + 1)}, "val_loss": {1 / (i + 1)}}}\n' for i in range(20_000))
    (tmp_path / "run" / "epochs.jsonl").write_text("".join(lines))
    page = report(tmp_path, writer.path)
    rows = [row.split() for row in page.texts("tr") if re.match(r"\d", row)]
    assert len(rows) <= 30
    assert [rows[0][0], rows[-1][0]] == ["1", "20000"]
    assert "epochs are left out here" in page.texts("main")[0]
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_runs_of_one_name_are_told_apart(tmp_path):
    for parent in ("first", "second"):
        make_run(tmp_path / parent / "run", epochs=3, arrays=False)
    assert report(tmp_path, tmp_path / "first/run", tmp_path / "second/run").texts("h3")[:2] == [
        "first/run",
        "second/run",
    ]
    twice = report(tmp_path, tmp_path / "first/run", tmp_path / "first/run")
    assert len(set(twice.texts("h3")[:2])) == 2


def test_names_are_no_mathematics_to_the_pictures(tmp_path):
    names = [r"_a$\\broken{$", "b$x$"]
    for name in names:
        writer = RunWriter(tmp_path / name)
        for epoch in range(12):
            writer.log_epoch(epoch, {"loss": 0.5, "val_loss": 0.4, r"val_$\\frac$": 0.1 * epoch})
    page = report(tmp_path, *(tmp_path / name for name in names))
    shown = [text.replace("\u200b", "") for text in page.texts("text")]
    assert set(names) <= set(shown)
    assert r"validation $\\frac$" in shown


def test_an_error_is_drawn_but_is_no_performance(tmp_path, other):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(12):
        writer.log_epoch(epoch, {"loss": 0.5, "val_mean_squared_error": 1 / (epoch + 1)})
    page = report(tmp_path, writer.path, other)
    assert "run logged no metric of which more is better, and is not ranked." in page.texts("main")[0]
    assert "mean squared error" in page.texts("text")


def test_many_runs_have_their_curves_only(tmp_path, other):
    page = report(tmp_path, *[other] * 7)
    assert page.faults == []
    titles = page.texts("figcaption")
    assert titles == ["The metric of all runs", "Good and calm", *["Loss, Jaccard and learning rate"] * 7]
    assert "Of more than 6 runs, each has its curves only" in page.texts("main")[0]
    assert page.texts("h2")[0] == "Side by side"
    assert [tag for tag, _, _ in page.all("table", "article")][:3] == ["table", "article", "table"]
    assert len(page.all("article")) == len(page.texts("h2")) - 1 == 7


def test_names_in_any_script_are_drawn_without_a_warning(tmp_path, other):
    name = "übung_数据_🙂"
    make_run(tmp_path / name, epochs=12, arrays=False)
    assert name in report(tmp_path, tmp_path / name, other).texts("text")


def test_run_ranked_first_shows_that_it_is_ill(tmp_path, other):
    writer = make_run(tmp_path / "best", arrays=False, finish=False)
    for epoch in range(24, 34):
        writer.log_epoch(epoch, {"loss": 0.1, "val_loss": 0.1, "val_jaccard": 0.95})
    writer.finish("failed")
    page = report(tmp_path, writer.path, other)
    assert {"1 ✕ best", "2 ✓ other"} <= set(page.texts("text"))
    assert "✕ best is ill: It failed" in page.texts("main")[0]
    assert "other is ill" not in page.texts("main")[0]


def test_metric_is_chosen_and_must_be_there(tmp_path, other):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(3):
        writer.log_epoch(epoch, {"loss": 0.5, "val_jaccard": 0.1, "val_dice": 0.2 + 0.1 * epoch})
    assert "best 0.4 at epoch 3" in report(tmp_path, writer.path, metric="val_dice").texts("article")[0]
    with pytest.raises(ValueError, match=r"'dice' was not logged in other, which has loss, .*"):
        report(tmp_path, other, metric="dice")


def test_report_replaces_the_file_that_is_there_and_leaves_no_other(tmp_path, other):
    (tmp_path / "report.html").write_text("old")
    path = write_report(other, str(tmp_path / "report.html"))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_report_refuses(tmp_path, other):
    with pytest.raises(FileNotFoundError, match=r"`path` must be a run directory.* Received: .*nowhere"):
        write_report(tmp_path / "nowhere", tmp_path / "report.html")
    with pytest.raises(FileNotFoundError, match=r"must lie in a folder that is there\. Received: .*absent/r"):
        write_report(other, tmp_path / "absent" / "report.html")
    with pytest.raises(ValueError, match=r"`path` must end in \.html\. Received: .*report\.pdf\."):
        write_report(other, tmp_path / "report.pdf")
    with pytest.raises(ValueError, match=r"`runs` must be one run or more\. Received: \[\]\."):
        write_report([], tmp_path / "report.html")
    empty = RunWriter(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"at least one epoch\. Received: .*empty \(status running\), which has none"):
        write_report([other, empty.path], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
