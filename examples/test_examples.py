"""Runs the example scripts and the notebooks as a user would; part of `make check`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unetdyn import runs
from unetdyn.evaluation import evaluation_of

HERE = Path(__file__).resolve().parent
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


def test_quickstart_script_trains_and_leaves_a_picture(tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "quickstart.py", tmp_path / "run"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "validation Jaccard" in done.stdout
    assert (tmp_path / "run" / "history.png").stat().st_size > 10_000
    assert (tmp_path / "run" / "model.keras").is_file()


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_script_of_the_studies_runs_with_its_imports_changed(backend, tmp_path):
    """Three callbacks without `mode`, their monitors, their functions, and the model that was saved."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, HERE / "studies_script.py", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for said in (
        "batches: 24\n",
        "last learning rate: 0.0",
        "health, efficiency",
        "stability_classification",
        "converged:",
    ):
        assert said in done.stdout
    assert "'jacard_coef': " in done.stdout.split("best model:")[1]


def test_vnc_script_trains_predicts_scores_and_draws(tmp_path):
    """Real sections, made eight times smaller, and a training of one epoch."""
    sections = Path(os.environ.get("UNETDYN_DATA", HERE.parents[1] / "shared" / "data")) / "vnc_mito"
    if not sections.is_dir():
        pytest.skip(f"the VNC sections are not at {sections}; set UNETDYN_DATA to the folder that holds vnc_mito/")
    short = ["fit.epochs=1", "optimizer.warmup_epochs=0", "model.filters=2", "model.depth=2"]
    small = ["data.downsample=8", "data.tile=64", f"run_directory={tmp_path / 'run'}"]
    command = [sys.executable, HERE / "vnc.py", sections, *short, *small]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for said in ("jaccard", "hd95", "chosen on validation"):
        assert said in done.stdout.lower()
    assert (tmp_path / "run" / "test_sections.png").stat().st_size > 10_000
    assert evaluation_of(runs.open(tmp_path / "run")).threshold_from == "validation"
    assert "The sections that score worst" in (page := (tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert "could not be read" not in page


@pytest.fixture
def notebooks(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # or the kernel draws no picture under its cells
    import run_notebooks

    return run_notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs_from_top_to_bottom(path, tmp_path, notebooks):
    check(notebooks.outputs(notebooks.run(path, tmp_path)))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_stored_notebook_has_its_pictures_and_is_small(path, notebooks):
    """What a reader in a browser sees, who runs nothing; `make notebooks` makes it anew."""
    import nbformat

    check(notebooks.outputs(nbformat.read(path, as_version=4)))
    assert path.stat().st_size < 300_000


def check(outputs):
    """Three pictures or more, no error, no warning."""
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
