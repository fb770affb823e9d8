"""What a run's files hold is text in every notebook's table and in the report, and never becomes markup."""

import pytest

from html_page import Page, make_run, report
from unetdyn import runs
from unetdyn.analysis import diagnose, read_history, summarise, training_health

EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """A run with markup in every text that it has: names, keys, values, events, records."""
    folder = tmp_path_factory.mktemp("runs") / "<b>evil<i>"
    writer = make_run(folder, epochs=12, finish=False, **{EVIL: EVIL, "list": [EVIL]})
    displays = [{"title": EVIL, "array": "a", "display": EVIL}]
    writer.declare(
        metrics={EVIL: "up", "<img src=x>": None},
        monitors={EVIL: {"keys": {EVIL: "up"}, "columns": [EVIL], "displays": displays}},
        setup={
            "optimizer": {"name": EVIL, "config": {EVIL: EVIL}},
            "frozen_layers": [EVIL],
            "norms": [{"layer": EVIL}],
        },
        stages=[{"name": EVIL, "epoch": 0, "setup": {}}, {"name": "<u>", "epoch": 5, "setup": {}}],
    )
    writer.event("monitor", f"Trouble: {EVIL}", monitor=EVIL, code=EVIL, level=EVIL, epoch=1)
    writer.event("warning", EVIL, code="<b>", level="ill")
    writer.log_epoch(12, {"loss": 0.5, "val_loss": float("nan"), EVIL: 1.0, f"val_{EVIL}": 1.0})
    writer.save_arrays("<u>", step=[0, 1], block_grad_norm={EVIL: [1.0, 2.0]})
    writer.finish("failed", {"error": EVIL, f"test_{EVIL}": EVIL, "test_<u>": 0.5})
    return writer.path


def test_report_has_no_element_of_the_run(evil, tmp_path):
    page = report(tmp_path, evil)
    assert page.faults == []
    assert not page.all("script", "img", "b", "i", "u")


@pytest.mark.parametrize(
    "shown",
    [runs.open, diagnose, summarise, lambda path: summarise(path, metric=EVIL), training_health],
    ids=["run", "diagnosis", "summary", "metric", "health"],
)
def test_notebook_shows_no_element_of_the_run(evil, shown):
    page = Page(shown(evil)._repr_html_())
    assert not page.all("script", "img", "i", "u")


def test_metric_of_the_run_keeps_its_name(evil):
    assert EVIL in read_history(evil)
