"""SLURM and PBS without a cluster: their programs on the PATH, and who starts and ends their tasks.

A test says when time is over: nothing here waits for a clock.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sweeps import fake_programs
from sweeps.fake_programs import state_of

PROGRAMS = ("sbatch", "squeue", "scontrol", "qsub", "qstat", "qrerun")
PATIENCE = 60  # seconds; never reached unless something is wrong


class Cluster:
    """One of them, in a folder; `bin` is for the PATH."""

    def __init__(self, folder, max_array=1000, operator=False):
        self.folder, self.bin, self.running = folder, folder / "bin", {}
        for each in (folder, self.bin, folder / "home"):
            each.mkdir(exist_ok=True)
        for program in PROGRAMS:
            file = self.bin / program
            file.write_text(f'#!/bin/sh\nexec {sys.executable} -ISs {fake_programs.__file__} {folder} {program} "$@"\n')
            file.chmod(0o755)
        with state_of(folder) as state:
            state.update(next=17, max_array=max_array, operator=operator, tasks={})

    @property
    def tasks(self):
        """Id → what is known of the task."""
        with state_of(self.folder) as state:
            return state["tasks"]

    def start(self, task):
        """Run the script of a task that waits, as its scheduler would."""
        with state_of(self.folder) as state:
            it = state["tasks"][task]
            assert it["state"] == "PENDING"
            it["state"] = "RUNNING"
        mode = "ab" if it["append"] and it["restarts"] else "wb"
        with Path(it["output"]).open(mode) as output:
            self.running[task] = subprocess.Popen(
                [*it["shell"], it["script"]],
                cwd=it["directory"],
                env=it["environment"] | ({"SLURM_RESTART_COUNT": str(it["restarts"])} if it["restarts"] else {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, task):
        """Until a task has ended; one that was requeued waits again."""
        process = self.running.pop(task)
        process.wait(PATIENCE)
        self._all(process, signal.SIGKILL)  # nothing outlives a job
        with state_of(self.folder) as state:
            it = state["tasks"][task]
            it["restarts"] += it["requeued"]
            it["exits"].append(process.returncode)
            it["state"] = "PENDING" if it["requeued"] else "COMPLETED"
            it["requeued"] = False

    def run(self):
        """All that wait, one after the other, until nothing waits."""
        while waiting := [task for task, it in self.tasks.items() if it["state"] == "PENDING"]:
            for task in waiting:
                self.start(task)
                self.wait(task)

    def before_walltime(self, task):
        """What `--signal` asks for, to the batch shell alone or to all steps; PBS sends nothing."""
        asked = re.fullmatch(r"(B:)?([A-Z0-9]+)(@\d+)?", self.tasks[task]["signal"] or "")
        if asked and asked[1]:  # without B: it goes to what `srun` has started, of which there is nothing here
            os.kill(self.running[task].pid, signal.Signals[f"SIG{asked[2]}"])

    def cancel(self, task):
        """As `scancel` and `qdel` do, and the end of the walltime: SIGTERM to all; SIGKILL is `kill`."""
        self._all(self.running[task], signal.SIGTERM)

    def kill(self, task):
        """What comes some seconds later, or from a node that fails."""
        self._all(self.running[task], signal.SIGKILL)

    def close(self):
        """End what a test has left."""
        for process in self.running.values():
            self._all(process, signal.SIGKILL)
            process.wait()

    @staticmethod
    def _all(process, number):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
