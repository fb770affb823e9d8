"""`sbatch`, `squeue`, `scontrol`, `qsub`, `qstat` and `qrerun` of a cluster that is a fake: see `fake_schedulers.py`.

As sbatch(1), scontrol(1) and squeue(1) of Slurm 22.05 have it, and what a Slurm of one machine did in
`tests/faults/test_slurm.py`; and as qsub(1B), qstat(1B), qrerun(1B) and pbs_job_attributes(7B) of OpenPBS 2021 have it,
which was not run.
"""

import fcntl
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

SBATCH = {
    "job-name": r"\S+",
    "array": r"\d+(-\d+(:\d+)?)?(,\d+(-\d+(:\d+)?)?)*(%\d+)?",
    "time": r"(\d+-)?\d+(:\d+){0,2}",
    "signal": r"([RB]:)?[A-Z0-9]+(@\d{1,5})?",
    "requeue": None,
    "open-mode": "append|truncate",
    "output": r"\S+",
    "ntasks": r"\d+",
    "cpus-per-task": r"\d+",
    "mem": r"\d+[KMGT]?",
    "gpus-per-node": r"(\w+:)?\d+",
    "partition": r"\S+",
    "account": r"\S+",
}
"""Options of sbatch(1) that a script may have here, and the form of what they take; None takes nothing."""
QSUB = {
    "S": r"/\S+",
    "N": r"[A-Za-z0-9]\S{0,235}",
    "J": r"\d+-\d+(:\d+)?(%\d+)?",
    "W": r"\w+=\S+",
    "l": r"(select=|walltime=|place=)\S+",
    "r": "[yn]",
    "j": "oe|eo|n",
    "q": r"\S+",
    "A": r"\S+",
}
"""The same of qsub(1B)."""


class Refused(Exception):
    """What a program writes to standard error, and its exit code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


@contextmanager
def state_of(folder):
    """What the cluster knows, of which one program at a time writes."""
    with Path(folder, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = Path(folder, "state.json")
        state = json.loads(file.read_text()) if file.exists() else {}
        yield state
        file.write_text(json.dumps(state))


def directives(text, prefix, form):
    """The options of a script, up to its first command."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            return
        if line.startswith(f"{prefix} "):
            found = re.fullmatch(form, line.removeprefix(prefix).strip())
            if not found:
                raise Refused(f"unrecognized option '{line}'")
            yield found[1], found[2]


def checked(options, known, say):
    found = {}
    for name, value in options:
        if name not in known:
            raise Refused(say(name), 2)
        form = known[name]
        if (value is not None) != (form is not None) or (form and not re.fullmatch(form, value)):
            raise Refused(f"error: Invalid --{name} specification: {value}")
        found[name] = value
    return found


def indexes(text):
    for part in text.partition("%")[0].split(","):
        first, last, step = re.fullmatch(r"(\d+)(?:-(\d+))?(?::(\d+))?", part).groups()
        yield from range(int(first), int(last or first) + 1, int(step or 1))


def sbatch(state, folder, script):
    text = Path(script).read_text()
    asked = checked(directives(text, "#SBATCH", r"--([a-z-]+)(?:=(\S+))?"), SBATCH, "unrecognized option '--{}'".format)
    numbers = list(indexes(asked["array"])) if "array" in asked else [None]
    if numbers[-1] is not None and max(numbers) > state["max_array"]:  # MaxArraySize is one more
        raise Refused("error: Batch job submission failed: Invalid job array specification")
    job = state["next"]
    state["next"] += len(numbers)
    for place, number in enumerate(numbers, 1):
        task = str(job if place == len(numbers) else job + place)  # the last one has the number of the whole
        place_of = {"SLURM_ARRAY_JOB_ID": str(job), "SLURM_ARRAY_TASK_ID": str(number)} if number is not None else {}
        output = asked.get("output", "slurm-%A_%a.out").replace("%A", str(job)).replace("%a", str(number))
        add(
            state,
            folder,
            task,
            text,
            job=str(job),
            number=number,
            shell=["bash"],
            directory=str(Path.cwd()),
            environment={**os.environ, "SLURM_JOB_ID": task, "SLURM_SUBMIT_DIR": str(Path.cwd()), **place_of},
            output=str(Path.cwd() / output),
            append=asked.get("open-mode") == "append",
            signal=asked.get("signal"),
        )
    print(f"Submitted batch job {job}")


def qsub(state, folder, script):
    text = Path(script).read_text()
    options = list(directives(text, "#PBS", r"-(\w)\s+(\S+)"))
    asked = checked(options, QSUB, "qsub: invalid option -- '{}'".format)
    numbers = list(indexes(asked["J"])) if "J" in asked else [None]
    if "J" in asked and len(numbers) < 2:
        raise Refused("qsub: illegal -J value", 2)
    if len(numbers) > state["max_array"]:
        raise Refused("qsub: Array job exceeds server or queue size limit", 1)
    job = state["next"]
    state["next"] += 1
    name, home = asked.get("N", Path(script).name), str(Path(folder, "home"))
    for number in numbers:
        task = f"{job}.fake" if number is None else f"{job}[{number}].fake"
        environment = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "PBS_JOBID": task,
            "PBS_JOBNAME": name,
            "PBS_O_WORKDIR": str(Path.cwd()),
            **({} if number is None else {"PBS_ARRAY_INDEX": str(number)}),
        }
        ending = f"{job}" if number is None else f"{job}.{number}"
        add(
            state,
            folder,
            task,
            text,
            job=f"{job}.fake" if number is None else f"{job}[].fake",
            number=number,
            shell=[asked.get("S", "/bin/sh")],
            directory=home,
            environment=environment,
            output=str(Path.cwd() / f"{name}.o{ending}"),
            append=False,
            signal=None,
        )
    print(f"{job}.fake" if numbers == [None] else f"{job}[].fake")


def add(state, folder, task, text, **known):
    script = Path(folder, f"script-{task}")
    script.write_text(text)
    new = {"state": "PENDING", "restarts": 0, "requeued": False, "exits": [], "script": str(script)}
    state["tasks"][task] = {**new, **known}


def scontrol(state, folder, *arguments):
    if arguments == ("show", "config"):
        print(f"MaxArraySize            = {state['max_array'] + 1}")
    elif len(arguments) == 2 and arguments[0] == "requeue":
        requeue(state, arguments[1], "Invalid job id specified")
    else:
        raise Refused(f"invalid keyword: {' '.join(arguments)}")


def qrerun(state, folder, task):
    if not state["operator"]:
        raise Refused(f"qrerun: Unauthorized Request  {task}", 159)
    requeue(state, task, f"qrerun: Unknown Job Id {task}")


def requeue(state, job, unknown):
    """A task; or all of an array, also of those that run and that have ended, as SLURM and PBS have it."""
    of_array = {f"{it['job']}_{it['number']}": task for task, it in state["tasks"].items() if it["number"] is not None}
    whole = [task for task, it in state["tasks"].items() if it["job"] == job]
    chosen = whole or [of_array.get(job, job)]
    if chosen[0] not in state["tasks"] or (not whole and state["tasks"][chosen[0]]["state"] == "PENDING"):
        raise Refused(unknown)
    for task in chosen:
        it = state["tasks"][task]
        if it["state"] == "RUNNING":
            it["requeued"] = True
        else:
            it["restarts"] += it["state"] == "COMPLETED"
            it["state"] = "PENDING"


def squeue(state, folder, *arguments):
    job = next(each.removeprefix("--jobs=") for each in arguments if each.startswith("--jobs="))
    left = [it for it in state["tasks"].values() if it["job"] == job and it["state"] != "COMPLETED"]
    if not left:
        raise Refused("slurm_load_jobs error: Invalid job id specified")
    assert set(arguments) == {"--noheader", "--array", "--format=%K", f"--jobs={job}"}
    print(*("N/A" if it["number"] is None else it["number"] for it in left), sep="\n")


def qstat(state, folder, *arguments):
    if arguments == ("-B", "-f"):
        print(f"Server: fake\n    server_state = Active\n    max_array_size = {state['max_array']}")
        return
    flag, job = arguments
    found = {task: it for task, it in state["tasks"].items() if it["job"] == job}
    if flag != "-t" or all(it["state"] == "COMPLETED" for it in found.values()):
        raise Refused(f"qstat: Unknown Job Id {job}", 153)
    print("Job id            Name             User              Time Use S Queue")
    print("----------------  ---------------- ----------------  -------- - -----")
    letters = {"PENDING": "Q", "RUNNING": "R", "COMPLETED": "X"}
    if "[]" in job:
        print(f"{job:<17} rates            me                       0 B workq")
    for task, it in found.items():
        print(f"{task:<17} rates            me                00:00:00 {letters[it['state']]} workq")


if __name__ == "__main__":
    place, program, *words = sys.argv[1:]
    try:
        with state_of(place) as known:
            globals()[program](known, place, *words)
    except Refused as error:
        print(f"{program}: {error}" if program.startswith("s") else error, file=sys.stderr)
        sys.exit(error.code)
