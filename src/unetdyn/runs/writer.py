"""Write a run directory so that it can be read after `kill -9` at any moment."""

import copy
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unetdyn._checks import unknown_choice
from unetdyn.runs import strict_json
from unetdyn.runs.array_writer import ArrayWriter
from unetdyn.runs.atomic import append, remove_leftovers, replacing, sync_folder
from unetdyn.runs.claim import FILE, TOKEN, Ownership, claim, siblings
from unetdyn.runs.process import identity
from unetdyn.runs.records import FORMAT_VERSION, parse_epochs, parse_events
from unetdyn.runs.reopening import ended_by, keep_lines, take_over
from unetdyn.runs.versions import versions

ENDED = ("finished", "failed", "interrupted")


class RunWriter(ArrayWriter):
    """A new run directory: `run.json` with status "running", then whatever is logged.

    Nothing stays open between calls, and each line is on the disk when its call returns. Where the disk is full or gone
    a call raises, and leaves what was there as it was; lines that it could not write come with the next call that can.

    One writer has the folder: of several that are made at once one is accepted, and each proves before it writes that
    the folder was not claimed anew meanwhile. A copy, by `copy` or `pickle`, is a new run from the same configuration:
    it claims a folder of its own beside this one, `NAME-2`, `NAME-3` and so on, as soon as it is used.

    Args:
        path: A folder that is new or empty; its parents are made.
        config: What the run was made from: dictionaries, lists, numbers, texts, paths.
        seed: The run's seed.
        backend: The Keras backend, `"tensorflow"`, `"jax"` or `"torch"`: its version is noted beside Keras'.

    Raises:
        FileExistsError: If `path` is a file or a folder that holds something; from any other method, if the folder is
            another writer's now.
        OSError: From any method, where nothing can be written; it says why.
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
        self._asked = Path(path)
        self._new: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "backend": backend,
            "seed": seed,
            "config": dict(config or {}),
        }
        self._begin()
        self._claim([self._asked])

    def _begin(self) -> None:
        """A run of which nothing was written yet, and which has no folder."""
        self._run: dict[str, Any] = {
            **self._new,
            TOKEN: uuid.uuid4().hex,
            "process": None,
            "status": "running",
            "created": _now(),
            "finished": None,
            "versions": versions(self._new["backend"]),
            "metrics": {},
            "monitors": {},
            "setup": {},
            "stages": [],
            "resumed": [],
            "summary": {},
        }
        self._waiting: dict[str, list[bytes]] = {}
        self._ownership: Ownership | None = None
        self._ended: str | None = None

    @classmethod
    def reopen(cls, path: str | Path) -> "RunWriter":
        """Take over a run directory whose training has ended, or was killed, to carry on with it: see `cut_back`.

        Of several that try at once one gets it. The status is "running" again. An earlier writer that still lives
        where nobody here can see it finds that the directory is not its own any more, and writes nothing there.

        Args:
            path: The run directory.

        Raises:
            FileNotFoundError: If it is no run directory.
            FileExistsError: If the process that writes it still lives, or another one takes it over at this moment.
            RunError: If its `run.json` is damaged, or of a newer version of unetdyn.

        Warns:
            UserWarning: Where that process ran on another host, and nothing tells whether it still does.

        Example:
            >>> import tempfile, unetdyn.runs
            >>> killed = RunWriter(tempfile.mkdtemp(), config={"filters": 16})
            >>> for epoch in range(3):
            ...     killed.log_epoch(epoch, {"loss": 0.5})
            >>> writer = RunWriter.reopen(killed.path)
            >>> writer.cut_back(epochs=2, events=0, epoch=2)
            ([{'epoch': 0, 'loss': 0.5}, {'epoch': 1, 'loss': 0.5}], [])
            >>> writer.log_epoch(2, {"loss": 0.25})
            >>> unetdyn.runs.open(writer.path).history["loss"].tolist()
            [0.5, 0.5, 0.25]
        """
        writer = cls.__new__(cls)
        writer._asked = Path(path)
        run, ended = take_over(writer._asked)
        writer._new = {key: run.get(key) for key in ("format", "backend", "seed", "config")}
        writer._begin()
        writer._ended = ended
        writer._run |= {**run, "resumed": list(run.get("resumed") or [])}
        writer._own(writer._asked)
        dynamics = writer._place / "dynamics"
        for folder in (writer._place, dynamics, *dynamics.glob("*/")):
            remove_leftovers(folder)
        return writer

    def cut_back(
        self,
        epochs: int,
        events: int,
        epoch: int,
        step: int = 0,
        declared: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Give the run up to the moment from which the training carries on; what came after it is done once more.

        Its summary is empty then, and `resumed` in `run.json` says when the training carried on, from where, and what
        had ended it.

        Args:
            epochs: How many lines of `epochs.jsonl` there were.
            events: How many of `events.jsonl`.
            epoch: At which the training carries on, from 0.
            step: Of that epoch, from 0.
            declared: In place of what `declare` was given since then, by its arguments' names.
            again: Whether it carries on but once with the last call, which did not know the step.

        Returns:
            The epochs and the events that are kept, as `Run` gives them.

        Raises:
            RunError: If there are fewer lines, or some are damaged.
        """
        place = self._owned()
        kept = (
            keep_lines(place / "epochs.jsonl", epochs, parse_epochs),
            keep_lines(place / "events.jsonl", events, parse_events),
        )
        self._waiting = {}
        resumed = self._run["resumed"]
        ended = resumed.pop()["ended"] if again else self._ended or ended_by(self._run)
        entry = {"time": _now(), "epoch": int(epoch), "step": int(step), "ended": ended}
        made_with = versions(self._new["backend"])
        if made_with != self._run["versions"]:
            entry["versions"] = made_with
        resumed.append(entry)
        self._ended = None
        self._run |= {"status": "running", "finished": None, "summary": {}, **(declared or {})}
        self._write_run()
        return kept

    def _claim(self, folders: Iterable[Path]) -> None:
        """The first of these that nobody has."""
        self._run["process"] = identity()
        text = self._text()
        refused: FileExistsError | None = None
        for folder in folders:
            try:
                claim(folder, text)
            except FileExistsError as error:
                refused = error
                continue
            self._own(folder)
            sync_folder(self._place.parent)
            return
        assert refused is not None
        raise refused

    def _own(self, folder: Path) -> None:
        self._path, self._place = folder, folder.absolute()  # where it is, even if the process goes elsewhere
        self._ownership = Ownership(self._place, self._run[TOKEN])

    @property
    def path(self) -> Path:
        """The folder; a copy claims its own when it is first asked."""
        if self._ownership is None:
            self._claim(siblings(self._asked))
        return self._path

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy: what the run is made from, and nothing of what was written."""
        return {"_asked": self._asked, "_new": self._new}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def status(self) -> str:
        """`"running"`, or how the run has ended."""
        return str(self._run["status"])

    @property
    def declared(self) -> dict[str, Any]:
        """All that `declare` was given, by its arguments' names: a copy."""
        return copy.deepcopy({key: self._run[key] for key in ("metrics", "monitors", "setup", "stages")})

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

    def configure(self, config: Mapping[str, Any]) -> None:
        """Put another configuration in place of the one that the run was made from: it goes on with more epochs, say.

        Args:
            config: As of the class; nothing is written if it is what stands there.
        """
        if self._run["config"] != dict(config):
            self._run["config"] = dict(config)
            self._write_run()

    def log_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Append an epoch's numbers to `epochs.jsonl`; `epoch` counts from 0, as Keras does."""
        self._append("epochs.jsonl", {"epoch": int(epoch), **logs})

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Append to `events.jsonl` what happened: a kind to filter by, a sentence for a person, and its numbers."""
        self._append("events.jsonl", {"time": _now(), "kind": kind, "message": message, **data})

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
        """Set the status back to "running": the training goes on, and with it goes what had ended it."""
        self._run |= {"status": "running", "finished": None}
        for what in ("error", "signal"):
            self._run["summary"].pop(what, None)
        self._write_run()

    def flush(self) -> None:
        """Write the lines that earlier calls could not."""
        for name in [name for name, lines in self._waiting.items() if lines]:
            self._write_waiting(name)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A temporary path to write to, which takes the place of a file of the run: see `unetdyn.runs.replacing`.

        Args:
            name: The file's, in the folder.

        Yields:
            The path to write to.
        """
        with replacing(self._owned() / name) as temporary:
            yield temporary

    def _owned(self) -> Path:
        """The folder, which is still this writer's."""
        _ = self.path
        assert self._ownership is not None
        self._ownership.check()
        return self._place

    def _text(self) -> str:
        return strict_json.dumps(self._run, indent=2) + "\n"

    def _write_run(self) -> None:
        text = self._text()
        with self.replacing(FILE) as temporary:
            temporary.write_text(text, encoding="utf-8")
        assert self._ownership is not None
        self._ownership.note()

    def _append(self, name: str, record: dict[str, Any]) -> None:
        line = strict_json.dumps(record) + "\n"
        self._waiting.setdefault(name, []).append(line.encode())
        self._write_waiting(name)

    def _write_waiting(self, name: str) -> None:
        lines, self._waiting[name] = self._waiting[name], []  # a signal's handler, in the midst of it, has its own
        try:
            append(self._owned() / name, b"".join(lines))
        except OSError:
            self._waiting[name] = lines + self._waiting[name]
            raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
