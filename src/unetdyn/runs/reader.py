"""Read a run directory, without Keras, in whatever state its writer left it."""

import html
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import nearest
from unetdyn.runs.predictions import NAME, Predictions
from unetdyn.runs.process import in_words, is_alive
from unetdyn.runs.records import RunError, parse_epochs, parse_events, parse_header, parse_object
from unetdyn.runs.resume_command import what_carries_on
from unetdyn.runs.segments import Segments, segmented


def open_run(path: str | Path) -> "Run":
    """Open a run directory; nothing but `run.json` is read until it is asked for.

    Args:
        path: The folder of a run: finished, failed, killed, or still being written.

    Returns:
        A `Run`: what was on the disk. Open it again to see how a run goes on.

    Raises:
        FileNotFoundError: If `path` isn't a run directory.
        RunError: A ValueError: if `run.json` is damaged, lies outside of the folder, or was written by a newer
            version of unetdyn.

    Example:
        >>> import tempfile, unetdyn.runs
        >>> folder = tempfile.mkdtemp()
        >>> unetdyn.runs.RunWriter(folder).log_epoch(0, {"loss": 0.5})
        >>> run = unetdyn.runs.open(folder)
        >>> run.status, run.history["loss"].tolist()
        ('running', [0.5])
    """
    path = Path(path)
    file = path / "run.json"
    if not file.is_file():
        raise FileNotFoundError(
            "`path` must be a run directory: the folder that holds run.json, epochs.jsonl and model.keras. "
            f"Received: {path}, which {'has no run.json' if path.is_dir() else 'is not there'}."
        )
    header = parse_header(_checked(path, file).read_bytes(), file)
    return Run(path, header)


def list_runs(folder: str | Path) -> list["Run"]:
    """The runs right below a folder, oldest first.

    Args:
        folder: Where run directories were written; it need not exist.

    Returns:
        A list of `Run`; other folders and files are passed over, and a run that is damaged with a warning.
    """
    found = []
    for file in sorted(Path(folder).glob("*/run.json")):
        try:
            found.append(open_run(file.parent))
        except (OSError, RunError) as error:
            warnings.warn(f"One run is left out: {error}", UserWarning, stacklevel=2)
    return sorted(found, key=lambda run: run.header["created"])


@dataclass(frozen=True, repr=False)
class Run:
    """A run directory, read when asked; made by `unetdyn.runs.open`.

    Attributes:
        path: The folder.
        header: `run.json` as it stands there.
    """

    path: Path
    header: dict[str, Any]

    @property
    def status(self) -> str:
        """`"running"`, `"finished"`, `"failed"` or `"interrupted"`; a killed run stays `"running"`: see `outcome`."""
        return self.header["status"]

    @property
    def outcome(self) -> str:
        """The status, for people: of a run that says "running", whether that can be true, looked up now.

        Its process is asked for on this host; of another host's nobody knows here.
        """
        if self.status != "running":
            return self.status
        process = self.header.get("process")
        alive = is_alive(process)
        if alive:
            return "running"
        if alive is None:
            return f"running on {process.get('host')}, or killed" if process else "running, or killed"
        way = what_carries_on(self.path, self.config)
        return f"killed: {in_words(process)} is gone" + (f"; to carry on: {way}" if way else "")

    @property
    def resumed(self) -> list[dict[str, Any]]:
        """Each time that it was carried on: `time`, `epoch`, `step` (from 0), and what had `ended` it; None for a kill.

        Empty for a training that went on to its end, and for a run that was written before it was kept.
        """
        return self.header.get("resumed") or []

    @property
    def config(self) -> dict[str, Any]:
        """What the run was made from, as JSON gives it (tuples come back as lists)."""
        return self.header["config"]

    @property
    def seed(self) -> int | None:
        """The run's seed."""
        return self.header["seed"]

    @property
    def versions(self) -> dict[str, str]:
        """The versions of unetdyn, Python, NumPy, Keras and the backend that wrote the run."""
        return self.header["versions"]

    @property
    def metrics(self) -> dict[str, str | None]:
        """Metrics of the model, without `val_`: `"up"` where more is better, `"down"` where less is, None if unknown.

        Empty for a run that was written before they were kept, or not by `RunRecorder`.
        """
        return self.header.get("metrics") or {}

    @property
    def monitors(self) -> dict[str, dict[str, Any]]:
        """What the monitors declared, by the name of their record; see `unetdyn.analysis.declarations`."""
        return self.header.get("monitors") or {}

    @property
    def setup(self) -> dict[str, Any]:
        """Optimizer, loss, batch size, norms and the like, as they were read from the model; None in it is unknown.

        Of a training in stages, those of the last stage that has begun; `stages` has them all.
        Empty for a run that was written before it was kept, not by `RunRecorder`, or that ended in its first epoch.
        """
        return self.header.get("setup") or {}

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Of a training in stages, those that have begun: `name`, first `epoch` (from 0), and `setup` as of `setup`.

        Empty for a training of one piece, and for a run that was written before stages were kept.
        """
        return self.header.get("stages") or []

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers that mattered in the end; empty until the run ends."""
        return self.header["summary"]

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """One dictionary an epoch: `epoch` (from 0) and what was logged in it."""
        return self._epochs[0]

    @property
    def events(self) -> list[dict[str, Any]]:
        """One dictionary an event: `time`, `kind`, `message` and its numbers."""
        return self._events[0]

    @property
    def notes(self) -> list[str]:
        """What could not be read, such as a line cut off when the writer was killed; empty for a sound run."""
        return self._epochs[1] + self._events[1]

    @cached_property
    def history(self) -> dict[str, NDArray[np.float64]]:
        """Every scalar by name, one element an epoch, NaN where it was not logged; `epoch` counts from 0.

        NaN may also be what was logged: `series` tells the two apart.
        """
        names = dict.fromkeys(name for record in self.epochs for name, value in record.items() if _is_scalar(value))
        return {
            name: np.array([v if _is_scalar(v := record.get(name)) else np.nan for record in self.epochs], dtype=float)
            for name in names
        }

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The epochs (from 0) in which a scalar was logged, and its values there, NaN values included.

        Raises:
            KeyError: If it never was.
        """
        if name not in self.history:
            raise KeyError(f"{name!r} was not logged in {self.path}.{nearest(name, self.history)}")
        logged = [(record["epoch"], record[name]) for record in self.epochs if _is_scalar(record.get(name))]
        return np.array([epoch for epoch, _ in logged]), np.array([value for _, value in logged], dtype=float)

    @property
    def array_names(self) -> list[str]:
        """What `arrays` can read."""
        folder = self.path / "dynamics"
        return sorted({*(file.stem for file in folder.glob("[!.]*.npz")), *segmented(folder)})

    def arrays(self, name: str) -> dict[str, Any]:
        """The arrays of a record, by name; those by block are a dictionary of arrays under one name.

        They are those of `dynamics/NAME.npz`, with the rows that an unfinished training has in files beside it.

        Raises:
            KeyError: If there are none of that name.
            RunError: A ValueError: if the file is damaged, or lies outside of the run.
        """
        if name not in self.array_names:
            raise KeyError(f"{name!r} is not among the arrays of {self.path}: {self.array_names}.")
        folder = self.path / "dynamics"
        for file in (folder / f"{name}.npz", *(folder / name).glob("*")):
            _checked(self.path, file)
        return Segments(folder, name).read()

    @cached_property
    def predictions(self) -> Predictions | None:
        """What a `PredictionRecorder` kept: tiles and what was predicted of them, unpacked when asked for.

        None where there is no record of that name, or nothing in it yet; of a monitor with a name of its own, see
        `unetdyn.runs.predictions.Predictions.from_record`.

        Raises:
            RunError: A ValueError: if the record is damaged.
        """
        found = Predictions.from_record(self.arrays(NAME)) if NAME in self.array_names else None
        return found if found is not None and found.epochs else None

    @cached_property
    def evaluation(self) -> dict[str, Any] | None:
        """What `unetdyn evaluate` wrote, as JSON gives it; None as long as the run was not evaluated.

        `unetdyn.evaluation.evaluation_of` makes an object with intervals and tables of it.

        Raises:
            RunError: A ValueError: if `evaluation.json` is damaged, or lies outside of the run.
        """
        file = self.path / "evaluation.json"
        return parse_object(_checked(self.path, file).read_bytes(), file) if file.is_file() else None

    @property
    def evaluation_pictures_path(self) -> Path | None:
        """The file with small pictures of the sections that scored worst; None where there is none.

        Raises:
            RunError: A ValueError: if it lies outside of the run.
        """
        path = self.path / "evaluation.npz"
        return _checked(self.path, path) if path.is_file() else None

    @property
    def model_path(self) -> Path | None:
        """The file of the model, which `unetdyn.experiment.load_model` opens; None as long as none was saved.

        Raises:
            RunError: If it lies outside of the run.
        """
        path = self.path / "model.keras"
        return _checked(self.path, path) if path.is_file() else None

    @cached_property
    def _epochs(self) -> tuple[list[dict[str, Any]], list[str]]:
        return parse_epochs(_content(self.path, "epochs.jsonl"), "epochs.jsonl")

    @cached_property
    def _events(self) -> tuple[list[dict[str, Any]], list[str]]:
        return parse_events(_content(self.path, "events.jsonl"), "events.jsonl")

    def __repr__(self) -> str:
        count = len(self.epochs)
        return f"<Run {str(self.path)!r}: {self.outcome}, {count} epoch{'' if count == 1 else 's'}>"

    def _repr_html_(self) -> str:
        rows = {"run": self.path, "status": self.outcome, "epochs": len(self.epochs), **self.summary}
        if self.epochs:
            rows |= {f"last {name}": value for name, value in self.epochs[-1].items() if name != "epoch"}
        cells = "".join(
            f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(_short(v))}</td></tr>" for k, v in rows.items()
        )
        return f"<table>{cells}</table>"


def _content(folder: Path, name: str) -> bytes:
    """Of a file that nothing may have been written to yet."""
    file = folder / name
    return _checked(folder, file).read_bytes() if file.is_file() else b""


def _checked(folder: Path, file: Path) -> Path:
    """The file, which must lie where it seems to: a run that somebody sends must not show files of its reader."""
    if not file.resolve().is_relative_to(folder.resolve()):
        raise RunError(f"{file} must lie in its run directory. It is a link to {file.resolve()}.")
    return file


def _is_scalar(value: object) -> bool:
    """Whether JSON gave a number; True and False count, as 1 and 0."""
    return isinstance(value, int | float)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
