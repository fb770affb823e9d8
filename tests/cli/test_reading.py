"""`unetdyn show`, `diagnose` and `report`, as a shell would call them."""

import json
import subprocess
import sys

import pytest


def test_show_without_a_run_says_what_a_run_is(invoke):
    result = invoke("show", "c.yaml")
    assert result.exit_code == 2
    assert "`path` must be a run directory" in result.output


@pytest.mark.parametrize("command", ["show", "diagnose"])
def test_a_run_is_shown_and_diagnosed_without_keras(invoke, tmp_path, command):
    from unetdyn.runs import RunWriter

    RunWriter(tmp_path / "run").log_epoch(0, {"loss": 0.5})
    code = (
        "import sys; from click.testing import CliRunner; from unetdyn.cli import main; "
        f"result = CliRunner().invoke(main, ['{command}', 'run']); print(result.output); "
        "assert result.exit_code == 0; assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "running" in done.stdout


def test_report_of_runs_is_a_file(invoke, run, tmp_path):
    assert invoke("report", str(run)).output.split() == ["report", "report.html"]
    assert "Training report: run" in (tmp_path / "report.html").read_text(encoding="utf-8")
    result = invoke("report", str(run), "run", "-o", "both.html", "--metric", "dice")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "Training report: 2 runs" in page
    assert "validation Dice" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "`path` must be a run directory"),
        (["run", "-o", "absent/report.html"], "make the folder absent first"),
        (["run", "-o", "report.pdf"], "`path` must end in .html"),
        (["run", "--metric", "iou"], "'iou' was not logged in run"),
    ],
)
def test_report_errors_are_one_clear_sentence(invoke, run, arguments, words):
    result = invoke("report", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1


LOSSES = [0.1 + 0.8 * 0.7**epoch for epoch in range(30)]
LOG = "epoch,loss,val_loss,val_jaccard\n" + "".join(f"{i},{x},{x},{0.9 - x}\n" for i, x in enumerate(LOSSES))


def test_diagnose_exits_with_one_for_the_ill_only(invoke, ill, tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    well = invoke("diagnose", "log.csv")
    assert (well.exit_code, well.output.split()[0]) == (0, "✓")
    sick = invoke("diagnose", str(ill))
    assert (sick.exit_code, sick.output.split()[0]) == (1, "✕")
    assert "metric.falls" in sick.output
    both = invoke("diagnose", "log.csv", str(ill))
    assert both.exit_code == 1
    assert [line for line in both.output.splitlines() if line in ("log.csv", str(ill))] == ["log.csv", str(ill)]


def test_diagnose_as_json_is_an_object_a_run_and_strict(invoke, ill, tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    result = invoke("diagnose", "--json", str(ill))
    found = json.loads(result.output, parse_constant=pytest.fail)
    assert result.exit_code == 1
    assert (found["run"], found["level"]) == (str(ill), "ill")
    assert {"sentence", "headline", "observations", "not_applied"} < set(found)
    both = json.loads(invoke("diagnose", "--json", "log.csv", str(ill), "log.csv").output)
    assert [each["run"] for each in both] == ["log.csv", str(ill), "log.csv"]
    assert [each["level"] for each in both] == ["good", "ill", "good"]


def test_diagnose_of_a_chosen_metric(invoke, run):
    codes = {
        name: [
            each["curves"]
            for each in json.loads(invoke("diagnose", "--json", "--metric", name, "run").output)["headline"]
        ]
        for name in ("dice", "jaccard")
    }
    assert "val_jaccard" not in str(codes["dice"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere, which is not there"),
        (["c.yaml"], "as CSVLogger writes"),
        (["run", "--metric", "iou"], "'iou' was not logged in run"),
        (["run", "nowhere"], "nowhere, which is not there"),
    ],
)
def test_diagnose_exits_with_two_where_it_cannot_read(invoke, run, arguments, words):
    result = invoke("diagnose", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_diagnose_of_a_run_without_an_epoch(invoke, tmp_path):
    from unetdyn.runs import RunWriter

    RunWriter(tmp_path / "empty")
    assert invoke("diagnose", "empty").exit_code in (0, 2)


def test_show_tells_of_what_it_cannot_read_after_the_others(invoke, run, tmp_path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/run.json").write_text("5")
    result = invoke("show", "nowhere", str(run), str(tmp_path / "damaged"))
    assert result.exit_code == 2
    assert "0.2000 at epoch 3" in result.stdout
    first, second = result.stderr.strip().splitlines()
    assert "nowhere, which is not there" in first
    assert "damaged/run.json is damaged: it must hold a JSON object. Received: 5." in second


def test_diagnose_notes_what_could_not_be_read(invoke, run):
    with (run / "epochs.jsonl").open("a") as file:
        file.write("5\n")
    (run / "dynamics").mkdir()
    (run / "dynamics/gradient.npz").write_bytes(b"")
    result = invoke("diagnose", str(run))
    assert result.exit_code == 0
    assert "Note: run: epochs.jsonl: line 4 is no epoch and is left out." in result.stderr
    assert "Note: What 'gradient' recorded is left out: " in result.stderr
    assert "Traceback" not in result.output


def test_diagnose_takes_what_trackers_logged(invoke, tmp_path):
    (tmp_path / "version_0").mkdir()
    (tmp_path / "version_0/metrics.csv").write_text(LOG)
    (tmp_path / "history.json").write_text(json.dumps({"loss": LOSSES, "val_loss": LOSSES}))
    for source in ("version_0", "history.json"):
        assert invoke("diagnose", source).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "nowhere.yaml"], "nowhere.yaml, which is not there"),
        (["train", "."], "which is a folder"),
        (["train", "c.yaml", "--set", "fit.epochs=[1"], "--set fit.epochs=[1 is not valid YAML: line 1: "),
        (["train", "c.yaml", "--set", "run_directory=c.yaml"], "which is a file"),
        (["train", "c.yaml", "--set", "model.depth=9"], "Received: "),
        (["diagnose", "log.csv"], "2 cells in line 3, and 3 names"),
        (["report", "run", "-o", "c.yaml/report.html"], "c.yaml"),
    ],
)
def test_what_a_user_can_help_is_one_sentence_and_two(invoke, run, tmp_path, arguments, words):
    (tmp_path / "log.csv").write_text("epoch,loss,val_loss\n0,1,1\n1,1\n")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr


def test_text_of_a_run_commands_no_terminal(invoke, tmp_path):
    from unetdyn.runs import RunWriter

    writer = RunWriter(tmp_path / "run")
    writer.log_epoch(0, {"loss": 0.5, "val_\x1b[31mred": 0.5})
    writer.finish("failed", {"error": "\x1b]0;title\x07", "test_x": "a\nb"})
    for command in ("show", "diagnose"):
        output = invoke(command, "run").output
        assert "\x1b" not in output
        assert "\x07" not in output
    assert "a b" in invoke("show", "run").stdout


def test_show_writes_a_picture_of_the_predictions(invoke, run, tmp_path):
    from PIL import Image

    from predicted import planted_record
    from unetdyn.runs import RunWriter

    without = invoke("show", str(run), "--picture", "seen.png")
    assert without.exit_code == 2
    assert "Received: " in without.output
    assert "which has no predictions" in without.output
    writer = RunWriter(tmp_path / "other")
    writer.save_arrays("predictions", **planted_record())
    shown = invoke("show", "other", "--picture", "seen.png")
    assert shown.exit_code == 0, shown.output
    assert shown.output.split()[-2:] == ["predictions", "seen.png"]
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.size[0] == 1500  # 7.5 inches of 200 dots


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["other", "--picture", "seen.pdf"], "`path` must end in .png"),
        (["other", "other", "--picture", "seen.png"], "--picture shows one RUN. Received: 2."),
    ],
)
def test_show_says_why_there_is_no_picture(invoke, tmp_path, arguments, words):
    from predicted import planted_record
    from unetdyn.runs import RunWriter

    RunWriter(tmp_path / "other").save_arrays("predictions", **planted_record())
    result = invoke("show", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
