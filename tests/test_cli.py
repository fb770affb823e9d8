"""The commands, as a shell would call them."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from unetdyn.cli import main

CONFIG = """
data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3], test: [5, 5]}}
model: {architecture: UNet, filters: 2, depth: 1}
fit: {epochs: 1}
"""


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_train_then_show(invoke, tmp_path):
    trained = invoke("train", "c.yaml", "--set", "name=mine", "--set", "fit.epochs=2")
    assert trained.exit_code == 0, trained.output
    assert "epoch 2/2" in trained.output
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name.startswith("mine-")
    assert f"runs/{path.name}" in trained.output

    shown = invoke("show", str(path), str(path))
    assert shown.exit_code == 0, shown.output
    rows = {line[:28].strip(): line[28:] for line in shown.output.splitlines()}
    assert rows["status"].split() == ["finished", "finished"]
    assert rows["epochs"].split() == ["2", "2"]
    assert "test jaccard" in rows
    assert "UNet, 2 filters, depth 1" in rows["model"]


def test_train_wrong_key_is_one_clear_sentence(invoke):
    result = invoke("train", "c.yaml", "--set", "fit.epoch=2")
    assert result.exit_code == 2
    assert "in `fit`, unknown key 'epoch'. Did you mean 'epochs'?" in result.output
    assert "Traceback" not in result.output


def test_train_wrong_path_is_one_clear_sentence(invoke):
    result = invoke("train", "c.yaml", "--set", "data={kind: folder, path: nowhere}")
    assert result.exit_code == 2
    assert "nowhere" in result.output
    assert "Traceback" not in result.output


def test_train_failing_import_is_shown(invoke):
    code = "import sys; sys.modules['keras'] = None; from unetdyn.cli import main; main(['train', 'c.yaml'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert "keras" in done.stderr


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


@pytest.fixture
def run(tmp_path):
    from unetdyn.runs import RunWriter

    writer = RunWriter(tmp_path / "run")
    for epoch in range(3):
        writer.log_epoch(epoch, {"loss": 0.5, "val_loss": 0.5, "val_jaccard": 0.1 * epoch, "val_dice": 0.5})
    writer.finish()
    return writer.path


def test_report_of_runs_is_a_file(invoke, run, tmp_path):
    assert invoke("report", str(run)).output.split() == ["report", "report.html"]
    assert "Training report: run" in (tmp_path / "report.html").read_text(encoding="utf-8")
    result = invoke("report", str(run), "run", "-o", "both.html", "--metric", "dice")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "Training report: 2 runs" in page
    assert "validation dice" in page


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


@pytest.fixture
def ill(tmp_path):
    from unetdyn.runs import RunWriter

    writer = RunWriter(tmp_path / "ill")
    for epoch in range(12):
        writer.log_epoch(epoch, {"loss": 0.5 - 0.01 * epoch, "val_loss": 0.5, "val_jaccard": 0.8 * (epoch % 2)})
    writer.event("monitor", "Trouble.", monitor="mine", epoch=1)
    writer.log_epoch(12, {"loss": float("nan"), "val_loss": float("inf"), "val_jaccard": 0.0})
    writer.finish()
    return writer.path


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


def test_demo_runs_the_quickstart_recipe(invoke, monkeypatch):
    import unetdyn.experiment

    seen = []
    monkeypatch.setattr(unetdyn.experiment, "run_experiment", lambda config: seen.append(config) or 1 / 0)
    result = invoke("demo")
    assert isinstance(result.exception, ZeroDivisionError)
    assert seen[0].name == "quickstart"


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


def ending(monkeypatch, end):
    """`unetdyn train` whose training ends so."""
    import unetdyn.experiment

    monkeypatch.setattr(unetdyn.experiment, "run_experiment", lambda config: end())


def raiser(error, note=None):
    def end():
        if note:
            error.add_note(note)
        raise error

    return end


@pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX's")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_train_that_a_signal_ends_is_one_sentence_and_its_exit_code(invoke, monkeypatch, name, code):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup, which ignores SIGHUP
    try:
        ending(monkeypatch, lambda: signal.raise_signal(number))
        result = invoke("train", "c.yaml")
        assert (result.exit_code, result.output.strip()) == (code, f"Stopped by {name}.")
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX's")
def test_train_under_nohup_hears_no_closed_terminal(invoke, monkeypatch):
    def end():
        signal.raise_signal(signal.SIGHUP)
        raise OSError("went on")

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        ending(monkeypatch, end)
        assert "went on" in invoke("train", "c.yaml").output
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped by SIGINT. What there is of the run is in runs/x."),
        (OSError(28, "No space left on device"), 1, "No space left on device. What there is of the run is in runs/x."),
        (PermissionError(13, "Permission denied", "runs"), 1, "Permission denied: 'runs'"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "a smaller `fit.batch_size`"),
        (RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB"), 1, "a smaller `fit.batch_size`"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating"), 1, "a smaller `fit.batch_size`"),
    ],
)
def test_train_failures_of_the_machine_are_one_sentence(invoke, monkeypatch, error, code, words):
    ending(monkeypatch, raiser(error, "What there is of the run is in runs/x."))
    result = invoke("train", "c.yaml")
    assert result.exit_code == code
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_train_faults_of_the_program_keep_their_traceback(invoke, monkeypatch):
    ending(monkeypatch, raiser(RuntimeError("a fault")))
    assert isinstance(invoke("train", "c.yaml").exception, RuntimeError)
