"""Trainings in processes that are forked from one which has imported everything, and so begin at once.

That one makes nothing: no model, no operation, so no thread of a backend is there when it forks.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
LIMIT = 300.0
"""Seconds after which a training is taken for one that hangs."""


class Forks:
    """The one who asks.

    Args:
        folder: Where the output of the processes goes.
    """

    def __init__(self, folder):
        given = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS), *([given] if given else [])])
        self.output = Path(folder) / "output.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.forks", str(self.output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            text=True,
        )

    def start(self, *jobs):
        """Ask for processes at once, each of them a dictionary: see `_forked`. `ended` tells what became of them."""
        self._process.stdin.write(json.dumps(jobs) + "\n")
        self._process.stdin.flush()

    def ended(self):
        """Of each of them: `status` as a return code, `marks`, `error`, when it `began` and was `killed`, `seconds`."""
        line = self._process.stdout.readline()
        assert line, f"the process that forks is gone: {self._process.wait()}"
        return json.loads(line)

    def run(self, **job):
        """One process, until it has ended."""
        self.start(job)
        return self.ended()[0]

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def main(output):
    import faults.jobs as jobs

    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork would leave threads behind"
    for line in sys.stdin:
        forked = [_forked(job, vars(jobs)[job["job"]]) for job in json.loads(line)]
        answers.write(json.dumps([_watched(*each) for each in forked]) + "\n")
        answers.flush()


def _forked(job, function):
    """A process that does a job.

    Args:
        job: `job`, a function of `faults.jobs`; `arguments` for it; if it is to be killed: `signal`, `after` seconds
            from its start, or with `mark` from its first mark of that name.
        function: Which is called with the arguments, and `tell`, to which it gives its marks.
    """
    reading, writing = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid:
        os.close(writing)
        return job, pid, reading, began
    code = 99
    try:
        os.close(reading)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword")
        warnings.filterwarnings("ignore", ".*was killed before its first state was saved")
        warnings.filterwarnings("ignore", ".*CSVLogger takes its columns from the first epoch")
        function(**job["arguments"], tell=lambda text: os.write(writing, f"{text}\n".encode()))
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException as error:
        os.write(writing, f"error {type(error).__name__}: {error}".replace("\n", " ").encode() + b"\n")
        traceback.print_exc()
        code = 98 if isinstance(error, KeyboardInterrupt) else 97
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watched(job, pid, reading, began):
    heard, killed, number = b"", None, job.get("signal")
    due = began + job["after"] if number and not job.get("mark") else None
    limit = began + LIMIT
    while True:
        wait = (limit if due is None else due) - time.monotonic()
        if select.select([reading], [], [], max(wait, 0))[0]:
            if not (part := os.read(reading, 1 << 16)):
                break
            heard += part
            if number and due is None and killed is None and job.get("mark") and job["mark"].encode() in heard:
                due = time.monotonic() + job["after"]
        elif due is None:
            os.kill(pid, signal.SIGABRT)
            break
        else:
            os.kill(pid, number)
            killed, due = time.monotonic(), None
    _, status = os.waitpid(pid, 0)
    ended = time.monotonic()
    os.close(reading)
    lines = heard.decode().splitlines()
    return {
        "status": os.waitstatus_to_exitcode(status),
        "marks": [line for line in lines if not line.startswith("error ")],
        "error": next((line.removeprefix("error ") for line in lines if line.startswith("error ")), None),
        "killed": killed,
        "began": began,
        "seconds": ended - began,
    }


if __name__ == "__main__":
    main(sys.argv[1])
