"""`unetdyn sweep analyse` and `unetdyn compare`, as a shell would call them."""

import json

import pytest

from planted_sweeps import planted_sweep, rows_of, write_run

TWO = {"optimizer.learning_rate": {0.001: 0.0, 0.005: -0.04}}


@pytest.fixture
def sweep(tmp_path):
    return planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=(6,), effects=TWO)


@pytest.fixture
def paths(tmp_path):
    made = [(0.001, 8, 0, 0.70), (0.001, 16, 1, 0.72), (0.005, 8, 0, 0.60), (0.005, 16, 1, 0.61)]
    return [
        str(write_run(tmp_path / f"run{n}", {"optimizer.learning_rate": rate, "fit.batch_size": batch}, seed, jaccard))
        for n, (rate, batch, seed, jaccard) in enumerate(made)
    ]


def test_sweep_analyse_writes_the_page_and_prints_the_verdict(invoke, sweep, tmp_path):
    result = invoke("sweep", "analyse", "sweep", "-o", "page.html", "--max-sigma", "0.1", "--order", "2")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split(maxsplit=1) == ["runs", "5 of 6"]
    assert lines[1].startswith("recommended    Take learning rate 0.001: mean performance 0.")
    assert "(n = 3)" in lines[1]
    assert any(line.startswith("learning_rate  F(1, 1) = ") for line in lines)
    assert lines[-2:] == ["not counted    0006: not begun", "report  page.html"]
    assert "<title>Sweep: planted</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_compare_takes_wanted_factors_and_writes_json(invoke, paths, tmp_path):
    result = invoke("compare", *paths, "--factors", "learning_rate", "--json", "--response", "final")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["page"] == "comparison.html"
    assert found["response"] == "final"
    assert found["table"]["factors"] == {"learning_rate": [0.001, 0.005]}
    assert found["table"]["notes"] == ["batch_size differs too, and was not asked for as a factor"]
    assert found["anova"]["effects"]["learning_rate"]["p"] == pytest.approx(0.0303, abs=0.0001)  # a paired t test
    assert "<title>Comparison: 4 runs</title>" in (tmp_path / "comparison.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["sweep", "analyse", "nowhere"],
            "A sweep must be its design file, or the folder that `unetdyn sweep plan` made of it",
        ),
        (["sweep", "analyse", "sweep", "-o", "page.pdf"], "`path` must end in .html"),
        (["sweep", "analyse", "sweep", "--response", "speed"], "'speed' is not one of 'performance', 'final'"),
        (["sweep", "analyse", "sweep", "--metric", "dice"], "'dice' was not logged"),
        (["compare"], "Missing argument 'RUN...'"),
        (["compare", "nowhere"], "`path` must be a run directory"),
        (["compare", "sweep/runs/0001", "sweep/runs/0004", "--factors", "rate"], "Received: 'rate'"),
    ],
)
def test_errors_are_one_clear_sentence(invoke, sweep, arguments, words):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_run_that_was_cut_off_is_told(invoke, paths, tmp_path):
    cut = write_run(tmp_path / "cut", {"optimizer.learning_rate": 0.005}, 2, 0.6, status="failed")
    result = invoke("compare", *paths, str(cut), "--factors", "learning_rate")
    assert "not counted    cut: failed" in result.output.splitlines()
    assert result.output.splitlines()[0].split(maxsplit=1) == ["runs", "4 of 5"]


def test_a_page_that_can_not_be_written_is_refused_before_anything_is_computed(invoke, sweep, monkeypatch):
    def spend(*_, **__):
        raise AssertionError("computed")

    monkeypatch.setattr("unetdyn.sweeps.analysing.analyse", spend)
    result = invoke("sweep", "analyse", "sweep", "-o", "absent/page.html")
    assert result.exit_code == 2
    assert "make the folder absent first" in result.output
