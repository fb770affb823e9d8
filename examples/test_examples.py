"""Runs the example script and the notebooks as a user would; part of `make check`."""

import subprocess
import sys
from pathlib import Path

import pytest

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
