"""Train many cases in several processes, each on one core; what hangs or crashes is noted and left behind."""

import multiprocessing
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

from .cases import Case

CASES_A_PROCESS = 30


def run(wanted: Iterable[Case], out: Path, cache: Path, jobs: int, limit: float) -> None:
    """Train what is not trained yet.

    Args:
        wanted: The cases.
        out: Folder that gets a run directory for each.
        cache: Folder of the prepared tiles, and of what was compiled.
        jobs: Processes, each with one thread.
        limit: Seconds after which a case counts as hung; its process is ended.
    """
    out.mkdir(parents=True, exist_ok=True)
    waiting: queue.Queue[Case] = queue.Queue()
    for case in wanted:
        if not (out / case.id / "label.json").exists():
            waiting.put(case)
    print(f"{waiting.qsize()} cases to train in {jobs} processes.", flush=True)
    # XLA makes as many threads as there are cores to be had: a process that may use one makes one.
    cores = sorted(os.sched_getaffinity(0)) if jobs > 1 and hasattr(os, "sched_getaffinity") else []
    threads = [
        threading.Thread(target=_drive, args=(waiting, out, cache, cores[i % len(cores)] if cores else None, limit))
        for i in range(jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _drive(waiting: "queue.Queue[Case]", out: Path, cache: Path, core: int | None, limit: float) -> None:
    """Keep one process busy until nothing is waiting."""
    process, ours, done = None, None, 0
    while True:
        try:
            case = waiting.get_nowait()
        except queue.Empty:
            break
        if process is None or done >= CASES_A_PROCESS:
            _end(process, ours)
            process, ours = _start(case.backend, out, cache, core)
            done = 0
        began = time.perf_counter()
        said = _ask(process, ours, case, limit)
        done += 1
        if said.startswith("!"):  # its process can no longer be relied on
            from .labels import label_of, write_label

            write_label(out / case.id, {**label_of(case), "error": said[1:]})
            process.kill()
            process.join()
            process = None
        print(f"{case.id}: {said} ({time.perf_counter() - began:.1f} s, {waiting.qsize()} left)", flush=True)
    _end(process, ours)


def _start(backend: str, out: Path, cache: Path, core: int | None):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, backend, out, cache, core), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _ask(process, ours: Connection, case: Case, limit: float) -> str:
    try:
        ours.send(case)
        if ours.poll(limit):
            return str(ours.recv())
    except (EOFError, OSError):
        process.join(5)
        return f"!the process ended with exit code {process.exitcode}"
    return f"!no result in {limit:g} s"


def _end(process, ours: Connection | None) -> None:
    if process is not None and ours is not None:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()


def prepare_environment(backend: str, cache: Path) -> None:
    """What must be set before Keras is loaded: the backend, one thread, and the cache of what was compiled."""
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    # Seeds and data differ, programs do not: compiling is most of the time of so short a training.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "compiled"))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def _serve(theirs: Connection, backend: str, out: Path, cache: Path, core: int | None) -> None:
    """Train what comes through the pipe, in a process of its own."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    prepare_environment(backend, cache)
    from .training import train

    while True:
        try:
            case = theirs.recv()
        except EOFError:
            return
        try:
            label = train(case, out, cache)
            theirs.send(f"test {label['test_jaccard']:.3f} {label['error']}".strip())
        except Exception as error:  # a fault of the benchmark, not of the training: seen, and tried again next time
            traceback.print_exc(file=sys.stderr)
            theirs.send(f"NOT TRAINED: {type(error).__name__}: {error}")


def prepare_data(cache: Path) -> list[str]:
    """`datasets.prepare`, in a process of its own."""
    prepare_environment(os.environ.get("KERAS_BACKEND", "jax"), cache)
    from .datasets import prepare

    return prepare(cache)
