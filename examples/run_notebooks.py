"""Run the notebooks and keep their outputs in them, small and alike from run to run: `make notebooks`."""

import base64
import io
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
# What TensorFlow's libraries say about the machine, whatever their log level.
BACKEND_LOG = re.compile(r"^(WARNING: All log messages before absl|[IWEF]\d{4} \d\d:).*\n?|^\n", re.MULTILINE)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def run(path, folder):
    """The notebook with fresh outputs; what its cells write goes to `folder`."""
    notebook = nbformat.read(path, as_version=4)
    # Without timing: the hour at which a cell ran would differ each time.
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _tidy(output)]
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds its version
    return notebook


def outputs(notebook):
    """All outputs of all cells."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _tidy(output):
    """Take out what differs from machine to machine; False where nothing is left."""
    if output.get("name") == "stderr":  # Python's warnings stay, and a test finds them
        output["text"] = BACKEND_LOG.sub("", output["text"])
        return bool(output["text"])
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = _small(data["image/png"])
        data["text/plain"] = ADDRESS.sub("", data["text/plain"])
    return True


def _small(png):
    """The picture in 64 colours: it looks the same and takes a fraction of the room."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    file = io.BytesIO()
    picture.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    for notebook_path in sorted(HERE.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as scratch:
            nbformat.write(run(notebook_path, scratch), notebook_path)
        print(f"{notebook_path.name}: {notebook_path.stat().st_size / 1000:.0f} kB")
