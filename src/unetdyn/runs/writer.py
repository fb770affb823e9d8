"""Write a run directory so that it can be read after `kill -9` at any moment."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import unetdyn
from unetdyn._checks import unknown_choice
from unetdyn.runs import strict_json
from unetdyn.runs.atomic import replacing, sync_folder
from unetdyn.runs.nesting import flatten

FORMAT_VERSION = 1
ENDED = ("finished", "failed", "interrupted")


class RunWriter:
    """A new run directory: `run.json` with status "running", then whatever is logged.

    Nothing stays open between calls, and each line is on the disk when its call returns.

    Args:
        path: A folder that is new or empty; its parents are made.
        config: What the run was made from: dictionaries, lists, numbers, texts, paths.
        seed: The run's seed.
        backend: The Keras backend, `"tensorflow"`, `"jax"` or `"torch"`: its version is noted beside Keras'.

    Attributes:
        path: The folder.

    Raises:
        FileExistsError: If `path` is a file or a folder that holds something.
        TypeError: If `config` holds what JSON can't.

    Example:
        >>> import tempfile, unetdyn.runs
        >>> writer = RunWriter(tempfile.mkdtemp(), config={"filters": 16}, seed=0)
        >>> writer.log_epoch(0, {"loss": 0.5})
        >>> writer.finish("finished", {"jaccard": 0.8})
        >>> unetdyn.runs.open(writer.path).summary
        {'jaccard': 0.8}
    """

    def __init__(
        self,
        path: str | Path,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._run: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "status": "running",
            "created": _now(),
            "finished": None,
            "versions": _versions(backend),
            "backend": backend,
            "seed": seed,
            "config": dict(config or {}),
            "metrics": {},
            "monitors": {},
            "setup": {},
            "stages": [],
            "summary": {},
        }
        strict_json.dumps(self._run)
        _claim(self.path)
        self._write_run()
        sync_folder(self.path.parent)

    @property
    def status(self) -> str:
        """`"running"`, or how the run has ended."""
        return str(self._run["status"])

    def declare(
        self,
        metrics: Mapping[str, str | None] | None = None,
        monitors: Mapping[str, Mapping[str, Any]] | None = None,
        setup: Mapping[str, Any] | None = None,
        stages: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Say what the logged values are and how they were made, so that nobody has to guess it later.

        Args:
            metrics: The model's own metrics, without `val_` → `"up"` where more is better, `"down"` where less is, None
                where Keras does not say.
            monitors: Name of a record → what its monitor writes, as `unetdyn.analysis.declarations` puts it.
            setup: Optimizer, loss, batch size and the like, as `unetdyn.callbacks.RunRecorder` reads them.
            stages: Of a training in several, those that have begun, as `Run.stages` gives them back; in place of what
                was declared of them before.
        """
        self._run["metrics"] |= metrics or {}
        self._run["monitors"] |= monitors or {}
        self._run["setup"] |= setup or {}
        if stages is not None:
            self._run["stages"] = [dict(stage) for stage in stages]
        self._write_run()

    def log_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Append an epoch's numbers to `epochs.jsonl`; `epoch` counts from 0, as Keras does."""
        self._append("epochs.jsonl", {"epoch": int(epoch), **logs})

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Append to `events.jsonl` what happened: a kind to filter by, a sentence for a person, and its numbers."""
        self._append("events.jsonl", {"time": _now(), "kind": kind, "message": message, **data})

    def save_arrays(self, name: str, **arrays: ArrayLike | Mapping[str, ArrayLike]) -> None:
        """Write or replace `dynamics/NAME.npz`: arrays of numbers or texts, never pickled objects.

        Args:
            name: A plain file name without suffix.
            **arrays: Arrays, or dictionaries of arrays such as those by block; `Run.arrays` gives them back as such.
        """
        if not name or Path(name).name != name or name.startswith("."):
            raise ValueError(f"`name` must be a plain file name without a folder. Received: name={name!r}.")
        converted = flatten(arrays)
        for key, array in converted.items():
            if array.dtype.hasobject:
                raise TypeError(f"Arrays of a run hold numbers or texts. Received: {key} of dtype {array.dtype}.")
        folder = self.path / "dynamics"
        folder.mkdir(exist_ok=True)
        with replacing(folder / f"{name}.npz") as temporary:
            np.savez(temporary, **converted)  # type: ignore[arg-type]

    def finish(self, status: str = "finished", summary: Mapping[str, Any] | None = None) -> None:
        """Say how the run ended; what `summary` holds is added to what earlier calls gave.

        Args:
            status: `"finished"`, `"failed"` or `"interrupted"`.
            summary: The numbers that matter in the end.
        """
        if status not in ENDED:
            raise ValueError(unknown_choice("status", status, ENDED))
        self._run["summary"] |= summary or {}
        self._run |= {"status": status, "finished": _now()}
        self._write_run()

    def resume(self) -> None:
        """Set the status back to "running": the training goes on."""
        self._run |= {"status": "running", "finished": None}
        self._write_run()

    def _write_run(self) -> None:
        with replacing(self.path / "run.json") as temporary:
            temporary.write_text(strict_json.dumps(self._run, indent=2) + "\n", encoding="utf-8")

    def _append(self, name: str, record: dict[str, Any]) -> None:
        line = strict_json.dumps(record) + "\n"
        with (self.path / name).open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def _claim(path: Path) -> None:
    """Make the folder, or refuse it, so that nobody's files are overwritten."""
    if path.is_dir():
        held = sorted(entry.name for entry in path.iterdir())
        if held:
            more = "" if len(held) <= 3 else f" and {len(held) - 3} more"
            raise FileExistsError(
                "`path` must be a new or empty folder, so that no earlier run is overwritten. "
                f"Received: {path}, which holds {', '.join(held[:3])}{more}. Choose another, or move that one away."
            )
    elif path.exists():
        raise FileExistsError(f"`path` must be a new or empty folder. Received: {path}, which is a file.")
    path.mkdir(parents=True, exist_ok=True)


def _versions(backend: str | None) -> dict[str, str]:
    packages = ["keras", "numpy"] + ([backend] if backend else [])
    versions = {"unetdyn": unetdyn.__version__, "python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            # tensorflow-cpu and other builds install the same module under another name.
            versions[package] = "unknown"
    return versions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
