"""The metrics of a run of MLflow, as its file store keeps them: a file a key, a line a value."""

from pathlib import Path

from unetdyn.analysis.log_table import Columns, curves_of_rows, rows_of_series
from unetdyn.analysis.series import whole_epochs


def is_mlflow_run(folder: Path) -> bool:
    """Whether a folder is a run of MLflow's file store, `mlruns/EXPERIMENT/RUN`, or its `metrics`.

    >>> is_mlflow_run(Path("nowhere"))
    False
    """
    run = folder.parent if folder.name == "metrics" else folder
    return (run / "metrics").is_dir() and (run / "meta.yaml").is_file()


def read_mlflow(folder: Path) -> Columns:
    """Name → (epochs, values) of a run of MLflow; its steps are the epochs, as its autologging has them.

    Args:
        folder: `mlruns/EXPERIMENT/RUN`, or its `metrics`, with a file for each key: lines `timestamp value step`.

    Raises:
        ValueError: If a line is of another form, or there is none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "metrics").mkdir()
        >>> _ = (folder / "metrics/val_loss").write_text("1700000000000 0.9 0\\n1700000001000 0.5 1\\n")
        >>> read_mlflow(folder)["val_loss"]
        (array([0, 1]), array([0.9, 0.5]))
    """
    metrics = folder if folder.name == "metrics" else folder / "metrics"
    files = sorted(each for each in metrics.rglob("*") if each.is_file())
    series = {file.relative_to(metrics).as_posix(): _values(file) for file in files}
    curves = curves_of_rows(rows_of_series(series, folder.name), folder.name)
    if not curves:
        raise ValueError(f"{metrics} must hold a file for each metric, as MLflow writes. It has no values.")
    return curves


def _values(file: Path) -> list[tuple[int, float]]:
    """Step and value of each line."""
    lines = file.read_bytes().split(b"\n")[:-1]  # the last one was not written to its end, or is empty
    values: list[tuple[int, float]] = []
    for number, line in enumerate(lines, start=1):
        try:
            _, value, step = line.split()[:3]
            values.append((int(whole_epochs(float(step))), float(value)))
        except ValueError:
            raise ValueError(
                f"{file} must hold lines of timestamp, value and step, as MLflow writes. Received: "
                f"{line[:40].decode(errors='replace')!r} in line {number}."
            ) from None
    if len(values) > 1 and all(step == 0 for step, _ in values):  # logged without steps
        return [(place, value) for place, (_, value) in enumerate(values)]
    return values
