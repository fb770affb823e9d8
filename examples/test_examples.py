"""Runs the example script and the notebook as a user would; part of `make check`."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def test_quickstart_script_trains_and_leaves_a_picture(tmp_path):
    done = subprocess.run(
        [sys.executable, HERE / "quickstart.py", tmp_path / "run"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "validation Jaccard" in done.stdout
    assert (tmp_path / "run" / "history.png").stat().st_size > 10_000
    assert (tmp_path / "run" / "model.keras").is_file()


@pytest.mark.parametrize("path", sorted(HERE.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.delenv("MPLBACKEND", raising=False)  # or the kernel draws no picture under its cells
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) >= 3
