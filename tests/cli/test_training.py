"""`unetdyn train` and `demo`, as a shell would call them."""

import signal
import subprocess
import sys

import pytest


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


def test_demo_runs_the_quickstart_recipe(invoke, monkeypatch):
    import unetdyn.experiment

    seen = []
    monkeypatch.setattr(unetdyn.experiment, "run_experiment", lambda config, **_: seen.append(config) or 1 / 0)
    result = invoke("demo")
    assert isinstance(result.exception, ZeroDivisionError)
    assert seen[0].name == "quickstart"


def ending(monkeypatch, end):
    """`unetdyn train` whose training ends so."""
    import unetdyn.experiment

    monkeypatch.setattr(unetdyn.experiment, "run_experiment", lambda config, **_: end())


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
