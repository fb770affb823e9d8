"""How far a sweep is, from its run directories and claims alone; Keras is not needed."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from unetdyn import runs
from unetdyn.runs.file_clock import now_in
from unetdyn.runs.process import in_words, is_alive
from unetdyn.sweeps.claims import DEAD_AFTER, Record, beat_age, is_dead, read_claim
from unetdyn.sweeps.row_training import is_done, run_of
from unetdyn.sweeps.table import Sweep

State = Literal["done", "running", "dead", "stopped", "failed", "missing"]
STATES: tuple[State, ...] = ("done", "running", "dead", "stopped", "failed", "missing")


@dataclass(frozen=True)
class RowState:
    """How far a row is.

    Attributes:
        number: Of the row.
        state: "done": its run is finished. "running": somebody works on it. "dead": somebody did, and is gone.
            "stopped": by a signal or its walltime, with its state saved. "failed". "missing": not begun, or freed.
        epoch: How many whole epochs its run has.
        epochs: How many it is to have; None where nothing says it.
        where: Who works on it, or did; None where nobody did.
        beat_age: Seconds since the last sign of life of who works on it; None if nobody does.
        attempts: How often somebody began with it.
        text: Why it failed or stopped, in a sentence.
        latest: Of the last whole epoch, what was logged.
    """

    number: int
    state: State
    epoch: int = 0
    epochs: int | None = None
    where: str | None = None
    beat_age: float | None = None
    attempts: int = 0
    text: str | None = None
    latest: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is.

    Attributes:
        sweep: The sweep.
        rows: One for each of its rows, in their order.
    """

    sweep: Sweep
    rows: tuple[RowState, ...]

    @property
    def counts(self) -> dict[str, int]:
        """State → how many rows are in it; those of which none is are 0."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in STATES}

    def of(self, *states: str) -> list[RowState]:
        """The rows that are in one of these states."""
        return [row for row in self.rows if row.state in states]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the sweep's name and path, `counts`, and `rows` with their settings, block and seed."""
        rows = [
            {**asdict(state), "seed": row.seed, "settings": dict(row.settings), "blocks": dict(row.blocks)}
            for state, row in zip(self.rows, self.sweep.rows, strict=True)
        ]
        return {"name": self.sweep.name, "path": str(self.sweep.path), "counts": self.counts, "rows": rows}


def status(sweep: Sweep, dead_after: float = DEAD_AFTER, but: Collection[int] = ()) -> SweepStatus:
    """How far each row is.

    The run directories are the truth: a row whose run is finished is done, whatever its claim says; one that claims to
    be done and has no such run is missing.

    Args:
        sweep: The sweep.
        dead_after: See `unetdyn.sweeps.claims.DEAD_AFTER`.
        but: Rows that are known to be done, and are not looked at again.

    Returns:
        As of now.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> rows = [Row(number, number, 0, {}, {}, "") for number in (1, 2)]
        >>> sweep = freeze(tempfile.mkdtemp(), "two", "2026-11-27", {}, {}, {}, rows)
        >>> runs.RunWriter(sweep.run_path(2)).finish()
        >>> [row.state for row in status(sweep).rows]
        ['missing', 'done']
    """
    folder = sweep.path / "claims"
    now = now_in(folder)
    return SweepStatus(
        sweep,
        tuple(
            RowState(row.number, "done") if row.number in but else _state(sweep, row.number, now, dead_after)
            for row in sweep.rows
        ),
    )


def _state(sweep: Sweep, number: int, now: float, dead_after: float) -> RowState:
    file = sweep.claim_path(number)
    run, claim = run_of(sweep, number), read_claim(file)
    age = _age(file, now) if claim is not None else None
    of_run = _of_run(run) | {"attempts": claim.attempts if claim else 0}
    if is_done(run):
        return RowState(number, "done", **of_run)
    if claim is None:
        return RowState(number, **of_run, **_unclaimed(run))
    if claim.state == "working":
        gone = is_dead(claim, age or 0.0, dead_after)
        return RowState(number, "dead" if gone else "running", **of_run, where=in_words(claim.process), beat_age=age)
    if claim.state in ("failed", "stopped"):
        return RowState(number, _ended(claim), **of_run, where=in_words(claim.process), text=claim.text)
    return RowState(number, "missing", **of_run)


def _ended(claim: Record) -> State:
    return "failed" if claim.state == "failed" else "stopped"


def _unclaimed(run: runs.Run | None) -> dict[str, Any]:
    """Of a run that something else than the sweep's workers has made, or of which the claim was removed."""
    if run is None:
        return {"state": "missing"}
    where = in_words(run.header.get("process"))
    if run.status == "running":
        gone = is_alive(run.header.get("process")) is False
        return {"state": "dead" if gone else "running", "where": where}
    text = run.summary.get("error")
    state = "failed" if run.status == "failed" else "stopped"
    return {"state": state, "where": where, "text": str(text) if text else None}


def _of_run(run: runs.Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    epochs = run.epochs
    latest = {name: value for name, value in epochs[-1].items() if name != "epoch"} if epochs else None
    return {"epoch": len(epochs), "epochs": _planned(run.config), "latest": latest}


def _planned(config: Mapping[str, Any]) -> int | None:
    """How many epochs a configuration of `unetdyn train` asks for."""
    parts = config.get("stages") or [config.get("fit")]
    said = [part.get("epochs") if isinstance(part, Mapping) else None for part in parts]
    found = [each for each in said if isinstance(each, int)]
    return sum(found) if len(found) == len(said) else None


def _age(file: Path, now: float) -> float | None:
    try:
        return beat_age(file, now)
    except OSError:
        return None
