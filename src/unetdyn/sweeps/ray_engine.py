"""Rows of a sweep as tasks of a Ray cluster, for many machines without a scheduler."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from unetdyn._checks import check_count, check_range
from unetdyn.sweeps.row_training import is_done, run_of, take_backend
from unetdyn.sweeps.table import Sweep, SweepError, open_sweep
from unetdyn.sweeps.work import DONE, FAILED, TAKEN, TRY_AGAIN, work_row

RETRIES = 3
PATIENCE, POLL = 900.0, 30.0
"""Seconds that a row is waited for which somebody else has, and between two looks.

A host that was killed is known to be dead after ten minutes without a sign of life.
"""

Work = Callable[[Sweep, int], int]
"""Does a row, and gives its exit code."""


def run_ray(
    sweep: Sweep,
    address: str | None = None,
    gpus_per_row: float | None = None,
    cpus_per_row: float = 1,
    retries: int = RETRIES,
    rows: Iterable[int] | None = None,
    work: Work | None = None,
    patience: float = PATIENCE,
    poll: float = POLL,
    stream: TextIO | None = None,
) -> dict[int, int]:
    """Do the rows of a sweep on a Ray cluster, one task a row, each in a process of its own.

    Rows are claimed as everywhere, so that workers of other kinds may be at the same sweep. A row whose node or process
    was killed is done again on another node, from its last state. Who starts this again, after it was killed itself,
    goes on with what is left.

    Args:
        sweep: Its folder must be at one path on all nodes, as on a shared file system; so must what the configurations
            read. unetdyn must be installed on all of them.
        address: Of the cluster, as `ray.init` takes it: `"auto"`, `"ray://HOST:10001"`. Default None: what
            `RAY_ADDRESS` says, else this machine.
        gpus_per_row: That a row needs and gets, 0 or more; a part of 1 lets rows share one. Default None: 1 where the
            cluster has any, else 0.
        cpus_per_row: The same of CPU cores, which is a promise to Ray; nothing holds a training to it. Default 1.
        retries: How often a row is tried again whose process or node was lost, or that a signal ended. Default 3.
        rows: Their numbers. Default None: all that are not finished.
        work: Does a row. Default None: `unetdyn.sweeps.work.work_row`.
        patience: Seconds that a row is waited for which somebody else has.
        poll: Seconds from one look at them to the next.
        stream: Where progress is shown; standard output by default.

    Returns:
        Number of a row → its exit code. What a row printed is in `sweep.log_path(number)`.

    Raises:
        ImportError: If Ray is missing.
        SweepError: If no node has what a row needs, or there is no such row.
    """
    check_count("retries", retries, 0, unit="times")
    check_range("cpus_per_row", cpus_per_row, 0)
    check_range("gpus_per_row", 0 if gpus_per_row is None else gpus_per_row, 0)
    stream = sys.stdout if stream is None else stream
    asked = [row.number for row in sweep.rows] if rows is None else list(rows)
    numbers = [number for number in asked if not is_done(run_of(sweep, sweep.row(number).number))]
    found = dict.fromkeys(set(asked) - set(numbers), DONE)
    if not numbers:
        return found
    with _cluster(address) as ray:
        needs = _needs(ray, gpus_per_row, cpus_per_row)
        task = ray.remote(max_calls=1, max_retries=retries, retry_exceptions=False, **needs)(_row)
        return found | _worked_off(ray, task, sweep, numbers, work, retries, patience, poll, stream)


def _worked_off(
    ray: Any,
    task: Any,
    sweep: Sweep,
    numbers: list[int],
    work: Work | None,
    retries: int,
    patience: float,
    poll: float,
    stream: TextIO,
) -> dict[int, int]:
    def start(number: int) -> None:
        running[task.remote(str(sweep.path.absolute()), number, work)] = number

    running: dict[Any, int] = {}
    again: dict[int, float] = {}  # rows of somebody else → when they are asked for again
    taken_since: dict[int, float] = {}
    tries = dict.fromkeys(numbers, 0)
    found: dict[int, int] = {}
    for number in numbers:
        start(number)
    while running or again:
        for number in [each for each, due in again.items() if due <= time.monotonic()]:
            del again[number]
            start(number)
        if not running:
            time.sleep(max(0.0, min(again.values()) - time.monotonic()))
            continue
        for reference in ray.wait(list(running), timeout=poll)[0]:
            number, now = running.pop(reference), time.monotonic()
            code, said = _ended(ray, reference)
            if code == TAKEN and now - taken_since.setdefault(number, now) <= patience:
                again[number] = now + poll
            elif code >= TRY_AGAIN and tries[number] < retries:
                tries[number] += 1
                start(number)
                _say(stream, f"Row {number} {said}; it is tried again")
            else:
                found[number] = code
                _say(stream, f"Row {number} {said} ({len(found)} of {len(numbers)})")
    return found


def _row(folder: str, number: int, work: Work | None) -> tuple[int, str]:
    """In a process of the cluster: the exit code of a row, and the name of the host."""
    host = platform.node()
    if not (Path(folder) / "sweep.json").is_file():
        raise SweepError(f"{folder} is not there on {host}: a sweep's folder must be at one path on all nodes.")
    sweep = open_sweep(folder)
    with printing_to(sweep.log_path(number)):
        return (work or _work_row)(sweep, number), host


def _work_row(sweep: Sweep, number: int) -> int:
    take_backend(sweep)
    outcome = work_row(sweep, number)
    print(outcome.text)
    return int(outcome.code)


@contextmanager
def printing_to(path: Path) -> Iterator[None]:
    """Append all that this process prints to a file, also what libraries in C print.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "0001.txt"
    >>> with printing_to(file):
    ...     _ = os.system("echo first")
    >>> file.read_text()
    'first\\n'
    """
    path.parent.mkdir(exist_ok=True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    with path.open("a", encoding="utf-8", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        try:
            for number in kept:
                os.dup2(file.fileno(), number)
            yield
        finally:
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)


def _ended(ray: Any, reference: Any) -> tuple[int, str]:
    """The exit code of a task, and how it ended in words."""
    try:
        code, host = ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # what the function raised
        return FAILED, f"failed: {' '.join(str(error.cause).split())[:500]}"
    except ray.exceptions.RayError as error:  # its process or its node, more often than it may be tried
        return FAILED, f"was lost: {type(error).__name__}"
    words = {DONE: "is done", FAILED: "failed", TAKEN: "is somebody else's", TRY_AGAIN: "was stopped"}
    return code, f"{words.get(code, f'ended with exit code {code}')} on {host}"


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected; and left as it was."""
    try:
        import ray
    except ImportError as error:
        raise ImportError(f'`--engine ray` needs Ray: pip install "unetdyn[ray]". ({error})') from error
    if ray.is_initialized():
        yield ray
        return
    ray.init(address=address, log_to_driver=False, configure_logging=False)
    try:
        yield ray
    finally:
        ray.shutdown()


def _needs(ray: Any, gpus: float | None, cpus: float) -> dict[str, float]:
    """The resources of a task.

    Raises:
        SweepError: If no node has them, for which Ray would wait for ever.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = gpus if gpus is not None else float(any(node.get("GPU", 0) >= 1 for node in nodes))
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= wanted for node in nodes):
        there = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise SweepError(
            f"No node of the cluster has what a row needs. Received: cpus_per_row={cpus:g}, gpus_per_row={wanted:g}; "
            f"the nodes have {there or 'nothing'}. Ask for less, or add a node."
        )
    return {"num_cpus": cpus, "num_gpus": wanted}


def _say(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()
