"""The frozen table of a sweep: one row a run, decided before anything trains, and never changed afterwards."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unetdyn.runs.atomic import create
from unetdyn.runs.strict_json import dumps

FILE = "sweep.json"
FORMAT = 1


class SweepError(ValueError):
    """A sweep can't be used as it is; the text says which part, what was expected and what was received."""


@dataclass(frozen=True)
class Row:
    """One run of a sweep.

    Attributes:
        number: From 1, as job arrays count.
        cell: Which combination of the factors' levels it is, from 1; rows of one cell differ in seed and block.
        seed: Of this run.
        settings: Key of the configuration, as `optimizer.learning_rate` → level, of each factor.
        blocks: The same of what is varied, but not asked about.
        config: `hash_of` the whole configuration that it is trained with, defaults and all.
    """

    number: int
    cell: int
    seed: int
    settings: Mapping[str, Any]
    blocks: Mapping[str, Any]
    config: str


@dataclass(frozen=True)
class Sweep:
    """A sweep as it was frozen.

    Attributes:
        path: Its folder.
        name: What it is called.
        created: When it was frozen, in ISO 8601.
        versions: Of unetdyn, Keras, its backend and what else the runs depend on.
        design: What the design file said, for who reads it.
        base: The configuration in which rows change their settings, as in a YAML file.
        rows: In the order in which they are worked off.
    """

    path: Path
    name: str
    created: str
    versions: Mapping[str, str]
    design: Mapping[str, Any]
    base: Mapping[str, Any]
    rows: tuple[Row, ...]

    def row(self, number: int) -> Row:
        """One row, by its number.

        Raises:
            SweepError: If there is none of that number.
        """
        if not 1 <= number <= len(self.rows):
            raise SweepError(
                f"A row of {self.path} must be from 1 to {len(self.rows)}. Received: {number}. (A job array must have "
                "as many tasks as the sweep has rows, and count from 1.)"
            )
        return self.rows[number - 1]

    def run_path(self, number: int) -> Path:
        """The run directory of a row."""
        return self.path / "runs" / self.label(number)

    def claim_path(self, number: int) -> Path:
        """The file that says who works on a row."""
        return self.path / "claims" / f"{self.label(number)}.json"

    def log_path(self, number: int) -> Path:
        """What the processes of a row printed."""
        return self.path / "logs" / f"{self.label(number)}.txt"

    def label(self, number: int) -> str:
        """The number of a row, as files are named: all of one length, so that they sort."""
        return f"{number:0{max(4, len(str(len(self.rows))))}d}"

    @property
    def factors(self) -> dict[str, tuple[Any, ...]]:
        """Key → its levels, in the order of their first row."""
        return _levels(row.settings for row in self.rows)

    @property
    def block_factors(self) -> dict[str, tuple[Any, ...]]:
        """The same of what is varied, but not asked about."""
        return _levels(row.blocks for row in self.rows)


def freeze(
    path: str | Path,
    name: str,
    created: str,
    versions: Mapping[str, str],
    design: Mapping[str, Any],
    base: Mapping[str, Any],
    rows: Sequence[Row],
) -> Sweep:
    """Write the table of a new sweep.

    Args:
        path: Its folder, new or empty; its parents are made.
        name: See `Sweep`, as the others.
        created: See `Sweep`.
        versions: See `Sweep`.
        design: See `Sweep`.
        base: See `Sweep`.
        rows: At least one; numbered from 1 without a gap.

    Returns:
        The sweep, as `open_sweep` reads it.

    Raises:
        FileExistsError: If there is a sweep in that folder already.
        SweepError: If the rows aren't numbered from 1 on.

    Example:
        >>> import tempfile
        >>> rates = [0.001, 0.005]
        >>> rows = [Row(n, n, 0, {"optimizer.learning_rate": rate}, {}, "") for n, rate in enumerate(rates, 1)]
        >>> sweep = freeze(tempfile.mkdtemp(), "rates", "2026-11-27T09:00:00", {}, {}, {"fit": {"epochs": 3}}, rows)
        >>> sweep.factors, sweep.run_path(2).name
        ({'optimizer.learning_rate': (0.001, 0.005)}, '0002')
    """
    path = Path(path)
    if [row.number for row in rows] != list(range(1, len(rows) + 1)) or not rows:
        raise SweepError(f"`rows` must be numbered from 1 without a gap. Received: {[row.number for row in rows]}.")
    header = {
        "format": FORMAT,
        "name": name,
        "created": created,
        "versions": dict(versions),
        "design": dict(design),
        "base": dict(base),
    }
    lines = ",\n".join("  " + dumps(asdict(row)) for row in rows)
    text = dumps(header, indent=1).removesuffix("\n}") + f',\n "rows": [\n{lines}\n ]\n}}\n'
    path.mkdir(parents=True, exist_ok=True)
    try:
        create(path / FILE, text)
    except FileExistsError:
        raise FileExistsError(
            f"A sweep's folder must be new. Received: {path}, which holds one. Its table is frozen: carry on with "
            f"`unetdyn sweep run {path}`, or give the design another name or directory."
        ) from None
    for folder in ("runs", "claims", "logs"):
        (path / folder).mkdir(exist_ok=True)
    return open_sweep(path)


def open_sweep(path: str | Path) -> Sweep:
    """Read the table of a sweep.

    Args:
        path: Its folder.

    Returns:
        The sweep.

    Raises:
        FileNotFoundError: If it is no sweep's folder.
        SweepError: If its table is damaged, or of a newer version.
    """
    path = Path(path)
    file = path / FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"A sweep must be a folder that `unetdyn sweep plan` made, with {FILE} in it. Received: {path}, which "
            f"{'has none' if path.is_dir() else 'is not there'}."
        )
    try:
        found = json.loads(file.read_bytes())  # a level may be the text NaN, and none is the number
        if found["format"] > FORMAT:
            raise SweepError(
                f"{file} was written by a newer version of unetdyn (form {found['format']}, known up to {FORMAT}): "
                "upgrade unetdyn."
            )
        rows = tuple(_row(each) for each in found["rows"])
        if [row.number for row in rows] != list(range(1, len(rows) + 1)) or not rows:
            raise ValueError("its rows aren't numbered from 1 on")
        return Sweep(
            path=path,
            name=str(found["name"]),
            created=str(found["created"]),
            versions=dict(found["versions"]),
            design=dict(found["design"]),
            base=dict(found["base"]),
            rows=rows,
        )
    except SweepError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SweepError(f"{file} is damaged: {type(error).__name__}: {error}. Nothing was changed.") from None


def hash_of(values: Any) -> str:
    """Of what JSON can hold: 16 hexadecimal digits of SHA-256, whatever the order of its keys.

    >>> hash_of({"a": 1, "b": [2.5]}) == hash_of({"b": [2.5], "a": 1})
    True
    """
    text = json.dumps(json.loads(dumps(values)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _row(found: Mapping[str, Any]) -> Row:
    row = Row(**found)
    if not all(type(number) is int for number in (row.number, row.cell, row.seed)):
        raise TypeError("a row's number, cell and seed must be whole numbers")
    return Row(row.number, row.cell, row.seed, dict(row.settings), dict(row.blocks), str(row.config))


def _levels(rows: Any) -> dict[str, tuple[Any, ...]]:
    found: dict[str, dict[str, Any]] = {}
    for settings in rows:
        for key, level in settings.items():
            found.setdefault(key, {}).setdefault(dumps(level), level)
    return {key: tuple(levels.values()) for key, levels in found.items()}
