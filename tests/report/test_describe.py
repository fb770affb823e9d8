"""A run, or several, as a table."""

import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis import Diagnosis, Finding
from unetdyn.report import write_report
from unetdyn.report.describe import describe, in_short, resumed_in_words
from unetdyn.report.page.content import content_of


def run_of(path, epochs, summary=None, **config):
    writer = runs.RunWriter(path, config)
    for number, logs in enumerate(epochs):
        writer.log_epoch(number, logs)
    if summary is not None:
        writer.finish("finished", summary)
    return runs.open(path)


def rows(text):
    return dict(line.split("  ", 1) for line in text.splitlines() if "  " in line)


def test_describe_gives_best_last_and_stability(tmp_path):
    losses = [0.5, 0.2, 0.3, 0.4]
    epochs = [{"val_loss": loss, "val_jaccard": 1 - loss} for loss in losses]
    config = {"callbacks": {"stability": {"window": 3, "ddof": 0}}}
    shown = rows(describe([run_of(tmp_path / "run", epochs, {"test_jaccard": 0.71}, **config)]))
    assert shown["validation Jaccard"].strip() == "0.8000 at epoch 2, 0.6000 at the end"
    assert shown["test jaccard"].strip() == "0.7100"
    assert shown["verdict"].strip() == "✓ Healthy"
    sigma = np.std(losses[1:])
    expected = f"σ = {sigma:.3g}, Moderate; {100 * sigma / np.mean(losses[1:]):.1f} % of the mean: Poor"
    assert shown["validation loss, stability"].strip() == expected


def test_describe_takes_the_best_in_the_direction_that_was_recorded(tmp_path):
    run = run_of(tmp_path / "a", [{"loss": 0.5, "val_surface_distance": value} for value in (0.2, 0.9, 0.4)])
    assert rows(describe([run]))["validation surface distance"].strip() == "0.2000 at epoch 1, 0.4000 at the end"
    header = {**run.header, "metrics": {"surface_distance": "up"}}
    told = describe([runs.Run(run.path, header)])
    assert rows(told)["validation surface distance"].strip() == "0.9000 at epoch 2, 0.4000 at the end"


def test_describe_counts_observed_validations_only(tmp_path):
    epochs = [{"loss": 1.0, **({"val_loss": 0.1 * i, "val_jaccard": 0.1 * i} if i % 2 else {})} for i in range(6)]
    shown = rows(describe([run_of(tmp_path / "run", epochs, callbacks={"stability": {"window": 3}})]))
    assert shown["validation Jaccard"].strip() == "0.5000 at epoch 6, 0.5000 at the end"
    assert shown["validation loss, stability"].strip().startswith(f"σ = {np.std([0.1, 0.3, 0.5], ddof=1):.3g}, Poor")


@pytest.mark.parametrize(
    ("epochs", "row", "text"),
    [
        ([], "epochs", "none yet"),
        ([{"loss": 1.0}], "status", "running"),
        ([{"val_loss": 1.0}], "validation loss, stability", "not defined"),
        ([{"val_jaccard": float("nan")}], "validation Jaccard", "never a number"),
        ([{"val_loss": float("nan")}] * 10, "validation loss, stability", "Very poor"),
    ],
)
def test_describe_says_what_is_missing(tmp_path, epochs, row, text):
    assert text in rows(describe([run_of(tmp_path / "run", epochs)]))[row]


@pytest.mark.parametrize("config", [{"model": {"architecture": "mine"}}, {"model": 5}, {"callbacks": ["a"]}])
def test_describe_takes_a_configuration_of_any_shape(tmp_path, config):
    shown = rows(describe([run_of(tmp_path / "run", [{"val_loss": 1.0}], **config)]))
    assert shown["model"].strip() == "not recorded"


@pytest.mark.parametrize(
    ("window", "ddof"), [("ten", "one"), (0, 2), (1, -1), (None, None), (2.5, 0.5), (True, True), ([10], [1])]
)
def test_a_window_or_ddof_without_a_standard_deviation_gives_the_default(tmp_path, window, ddof):
    losses = np.linspace(0.5, 0.4, 12)
    epochs = [{"loss": float(loss), "val_loss": float(loss)} for loss in losses]
    run = run_of(tmp_path / "run", epochs, {}, callbacks={"stability": {"window": window, "ddof": ddof}})
    expected = f"σ = {np.std(losses[-10:], ddof=1):.3g}, "
    assert rows(describe([run]))["validation loss, stability"].strip().startswith(expected)
    assert "Healthy" in write_report([run.path], tmp_path / "report.html").read_text()


def test_the_report_takes_ddof_from_the_configuration_everywhere(tmp_path):
    losses = [0.5, 0.2, 0.3, 0.4]
    config = {"callbacks": {"stability": {"window": 3, "ddof": 0}}}
    epochs = [{"loss": loss, "val_loss": loss, "val_jaccard": 1 - loss} for loss in losses]
    content = content_of(run_of(tmp_path / "run", epochs, **config), None, "run", "run-1", most=0)
    sigma = np.std(losses[1:])
    assert content.summary.stability == pytest.approx(sigma)
    found = next(finding for finding in content.diagnosis.findings if finding.code == "stability")
    assert f"σ of the validation loss {sigma:.3g};" in found.seen


def test_describe_puts_runs_side_by_side(tmp_path):
    first = run_of(tmp_path / "first", [{"val_jaccard": 0.25}])
    second = run_of(tmp_path / "second", [{"val_soft_jaccard": 0.5}, {"val_soft_jaccard": 0.75}])
    lines = describe([first, second]).splitlines()
    assert lines[0].split() == ["run", "first", "second"]
    assert next(line for line in lines if line.startswith("epochs")).split() == ["epochs", "1", "2"]
    column = lines[0].index("second")
    soft = next(line for line in lines if line.startswith("validation soft"))
    assert soft[column:] == "0.7500 at epoch 2, 0.7500 at the end"
    assert soft[len("validation soft Jaccard") : column].strip() == ""


def test_describe_names_the_run_that_is_ill_and_why(tmp_path):
    well = run_of(tmp_path / "well", [{"loss": 0.1 + 0.8**i, "val_jaccard": 0.8 - 0.7 * 0.8**i} for i in range(12)])
    gone = run_of(tmp_path / "gone", [{"loss": 0.1 + 0.8**i, "val_jaccard": 0.8 * (i % 2)} for i in range(12)])
    text = describe([well, gone])
    assert "gone is ill: Its validation Jaccard fell below half" in text
    assert "well is ill" not in text
    assert "✕ Ill: falls" in rows(text)["verdict"]


def test_verdict_in_short_names_three_findings_at_most():
    findings = tuple(Finding(name, "ill", name, "seen") for name in "abcd")
    short = in_short(Diagnosis("ill", "So it is.", (*findings, findings[0]), findings))
    assert short == "✕ Ill: a, b, c and 1 more"
    assert in_short(Diagnosis("good", "Nothing.", (), ())) == "✓ Healthy"


def test_describe_passes_on_what_the_reader_noticed(tmp_path):
    run_of(tmp_path / "run", [{"loss": 1.0}])
    with (tmp_path / "run" / "epochs.jsonl").open("a") as file:
        file.write('{"epoch": 1, "lo')
    assert "run: " in describe([runs.open(tmp_path / "run")]).splitlines()[-1]


def test_describe_shows_any_metric_and_trainings_without_validation(tmp_path):
    epochs = [{"loss": 0.2 * i, "mean_error": 2.0 - i} for i in range(3)]
    shown = rows(describe([run_of(tmp_path / "run", epochs, callbacks={"stability": {"window": 3}})]))
    assert shown["mean error"].strip() == "0.0000 at epoch 3, 0.0000 at the end"
    assert shown["loss, stability"].strip().startswith("σ = 0.2, Poor")
    dice = rows(describe([run_of(tmp_path / "dice", [{"val_dice": 0.5}, {"val_dice": 0.25}])]))
    assert dice["validation Dice"].strip() == "0.5000 at epoch 1, 0.2500 at the end"


def test_describe_shows_a_summary_of_any_kind(tmp_path):
    summary = {"test_jaccard": "n/a", "test_classes": [0.5, 0.6]}
    shown = rows(describe([run_of(tmp_path / "run", [{"loss": 1.0}], summary)]))
    assert shown["test jaccard"].strip() == "n/a"
    assert shown["test classes"].strip() == "[0.5, 0.6]"


def test_describe_shows_stages_with_their_epochs(tmp_path):
    run = run_of(tmp_path / "run", [{"loss": 1.0}] * 3)
    writer = runs.RunWriter(tmp_path / "other")
    writer.declare(stages=[{"name": "coarse", "epoch": 0}, {"name": "fine", "epoch": 2}, {"name": "last", "epoch": 3}])
    for epoch in range(3):
        writer.log_epoch(epoch, {"loss": 1.0})
    assert "stages" not in rows(describe([run]))
    shown = rows(describe([runs.open(writer.path)]))
    assert shown["stages"].strip() == "coarse 1–2, fine 3–3, last from 4 on"


@pytest.mark.parametrize(
    ("resumed", "words"),
    [
        ([{"epoch": 4, "step": 0, "ended": None}], "once, at epoch 5, after it was killed"),
        ([{"epoch": 4, "step": 2, "ended": "SIGTERM"}], "once, at epoch 5, step 3, after SIGTERM"),
        ([{}, {"epoch": 7, "step": 0, "ended": "finished"}], "2 times, the last time at epoch 8, after finished"),
        ([{"epoch": "x"}], "once, at an unknown epoch, after it was killed"),
    ],
)
def test_describe_says_how_often_a_run_was_resumed(tmp_path, resumed, words):
    run = run_of(tmp_path / "run", [{"loss": 1.0}])
    assert "resumed" not in rows(describe([run]))
    run = runs.Run(run.path, {**run.header, "resumed": resumed})
    assert resumed_in_words(run) == words
    assert rows(describe([run]))["resumed"].strip() == words


def test_describe_tells_a_killed_run(tmp_path):
    run = run_of(tmp_path / "run", [{"loss": 1.0}])
    run = runs.Run(run.path, {**run.header, "process": {**run.header["process"], "pid": 2**22 + 7}})
    assert rows(describe([run]))["status"].strip().startswith("killed: process 4194311 on ")
