"""What lies at a path, and who reads it."""

from pathlib import Path

from unetdyn.analysis.csv_log import read_csv
from unetdyn.analysis.history_logs import Frequency
from unetdyn.analysis.log_table import Columns

_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
_LIGHTNING = "metrics.csv"


def read_path(path: Path, validation_freq: Frequency | None = None) -> Columns | None:
    """Name → (epochs, values) of what a path holds; None of a folder with none of these.

    Args:
        path: A file: CSV, JSON, `.npz`, an event file of TensorBoard. A folder: of event files, of a run of MLflow, or
            with the `metrics.csv` of Lightning's CSVLogger.
        validation_freq: See `read_history`.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If what is there can't be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "metrics.csv").write_text("epoch,step,train_loss,val_loss\\n0,9,0.9,\\n0,9,,0.8\\n")
        >>> read_path(folder)["val_loss"]
        (array([0]), array([0.8]))
    """
    if not path.exists():
        raise FileNotFoundError(
            "`history` must be the path of a file that CSVLogger wrote, of a history in JSON or `.npz`, of what "
            f"TensorBoard, MLflow or Lightning logged, or of a run directory. Received: {path}, which is not there."
        )
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise ValueError(f"`history` must be the path of a file or a folder. Received: {path}, which is neither.")
    return _of_file(path, validation_freq)


def _of_folder(path: Path) -> Columns | None:
    if (path / _LIGHTNING).is_file():
        return read_csv(path / _LIGHTNING)
    from unetdyn.analysis.sources.metric_files import is_mlflow_run, read_mlflow

    if is_mlflow_run(path):
        return read_mlflow(path)
    from unetdyn.analysis.sources.event_files import event_files, read_events

    return read_events(path) if event_files(path) else None


def _of_file(path: Path, validation_freq: Frequency | None) -> Columns:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(64)
    if ".tfevents." in path.name:
        from unetdyn.analysis.sources.event_files import read_events

        return read_events(path)
    if start.startswith((b"PK", b"\x93NUMPY")) or suffix in (".npz", ".npy"):
        from unetdyn.analysis.sources.array_log import read_arrays

        return read_arrays(path, validation_freq)
    if suffix in _PICKLES:
        raise ValueError(
            f"`history` must be no pickled object, which can run any code when it is read. Received: {path}; save "
            "`history.history` as JSON, or with `np.savez`."
        )
    if suffix in (".json", ".jsonl", ".ndjson") or start.lstrip()[:1] in (b"{", b"["):
        from unetdyn.analysis.sources.json_log import read_json

        return read_json(path, validation_freq)
    return read_csv(path)
