"""A run directory whose training has ended, or was killed: made that of this process, and cut back to a moment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unetdyn.runs import strict_json
from unetdyn.runs.atomic import replacing
from unetdyn.runs.claim import FILE, TOKEN
from unetdyn.runs.process import identity
from unetdyn.runs.records import RunError, parse_header
from unetdyn.runs.taking_over import check_is_left, taking_over

_Parse = Callable[[bytes, str], tuple[list[dict[str, Any]], list[str]]]


def take_over(folder: Path) -> tuple[dict[str, Any], str | None]:
    """Make a run directory that of this process: its token is a new one, by which an earlier writer knows.

    Args:
        folder: The run directory.

    Returns:
        What `run.json` holds from then on, and what had ended the training: a signal's name, an error, "finished"; None
        where it was killed.

    Raises:
        FileNotFoundError: If it is no run directory.
        RunError: If `run.json` is damaged, or of a newer version.
        FileExistsError: If the training still runs, or another process takes it over at this moment.
    """
    with taking_over(folder, ".reopened-", lambda: _header(folder)) as (now, token):
        check_is_left(folder, now)
        taken = {**now, TOKEN: token, "process": identity(), "status": "running", "finished": None}
        with replacing(folder / FILE) as temporary:
            temporary.write_text(strict_json.dumps(taken, indent=2) + "\n", encoding="utf-8")
        return taken, ended_by(now)


def ended_by(header: dict[str, Any]) -> str | None:
    """What had ended a run: a signal's name, an error, "finished"; None where it was killed.

    >>> ended_by({"status": "interrupted", "summary": {"signal": "SIGTERM", "error": "SIGTERM came."}})
    'SIGTERM'
    """
    if header["status"] == "running":
        return None
    summary = header["summary"]
    return str(summary.get("signal") or summary.get("error") or header["status"])


def keep_lines(file: Path, lines: int, parse: _Parse) -> list[dict[str, Any]]:
    """Cut off what comes after the first lines of a file.

    Args:
        file: It need not be there if no line is to be kept.
        lines: How many.
        parse: Of `unetdyn.runs.records`, for such lines.

    Returns:
        What they hold.

    Raises:
        RunError: If there are fewer, or one of them is damaged; nothing is changed then.
    """
    content = file.read_bytes() if file.is_file() else b""
    end = 0
    for number in range(lines):
        end = content.find(b"\n", end) + 1
        if not end:
            raise RunError(
                f"{file} must have the {lines} lines that the state of the training counts. It has {number}. Put the "
                "file back from a copy, or train anew in another directory."
            )
    records, notes = parse(content[:end], file.name)
    if len(records) != lines:
        why = notes[0] if notes else f"{file.name}: {lines - len(records)} of its lines are empty."
        raise RunError(f"{file} is damaged, and the training can't go on with it. {why} Put it back from a copy.")
    if end < len(content):
        with replacing(file) as temporary:
            temporary.write_bytes(content[:end])
    return records


def _header(folder: Path) -> dict[str, Any]:
    file = folder / FILE
    if not file.is_file():
        raise FileNotFoundError(f"`path` must be a run directory, which has a {FILE}. Received: {folder}.")
    content = file.read_bytes()
    parse_header(content, file)
    return strict_json.restore_numbers(json.loads(content))  # whole numbers of any size, as they were written
