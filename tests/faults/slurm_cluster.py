"""SLURM on this machine alone: its daemons, in a folder, as the user who runs the tests."""

import getpass
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PROGRAMS = (*DAEMONS, "sbatch", "squeue", "scontrol", "scancel", "sinfo")
PATIENCE = 300  # seconds; never reached unless something is wrong

CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge,cred_expire=5
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2
MaxArraySize=6
SlurmdTimeout=10
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=here Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""`cred_expire` is how long a job that was requeued waits, 120 s where nothing says so (slurm.conf(5), AuthInfo)."""


def program(name):
    """Where it is; None where it isn't. Daemons are not on everybody's PATH."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def missing():
    """Which programs are not here."""
    return [name for name in PROGRAMS if program(name) is None]


class SlurmCluster:
    """One node with four CPUs, and arrays of five tasks at most."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # the path of a socket must be short
        self.configuration = self.folder / "slurm.conf"
        self.started = []
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "key").write_bytes(os.urandom(1024))
        (self.folder / "key").chmod(0o600)
        host = platform.node().partition(".")[0]
        text = CONFIGURATION.format(host=host, ports=_free_ports(2), user=getpass.getuser(), folder=self.folder)
        self.configuration.write_text(text)

    def start(self):
        """Start the daemons, and wait until the node takes jobs."""
        files = {"socket": "munge", "key-file": "key", "pid-file": "pid", "log-file": "munged.log", "seed-file": "seed"}
        options = [f"--{option}={self.folder / file}" for option, file in files.items()]
        self._start("munged", "--foreground", "--force", *options)
        self.wait_for((self.folder / "munge").exists)
        self._start("slurmctld", "-D")
        self.wait_for(lambda: "UP" in self.ask("scontrol", "ping"))
        self.start_node()

    def start_node(self):
        """Start the node's daemon, and wait until the node takes jobs."""
        self._start("slurmd", "-D")
        self.wait_for(lambda: self.states() & {"idle", "mixed", "allocated"})

    def fail_node(self):
        """End all that runs on the node, without a word to anybody."""
        node = self.started.pop()
        for pid in self.processes():
            if pid not in [process.pid for process in self.started]:
                os.kill(pid, signal.SIGKILL)
        node.wait()

    def states(self):
        """That of the node, without marks such as the one for what does not answer."""
        return {state.rstrip("*~#!%$@^-+") for state in self.ask("sinfo", "--noheader", "--format=%T").split()}

    def ask(self, *command):
        """What a program of SLURM prints."""
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=PATIENCE)
        return done.stdout

    @property
    def environment(self):
        """That of who uses the cluster."""
        return {**os.environ, "SLURM_CONF": str(self.configuration)}

    def wait_for(self, condition):
        """Until it is so; while the daemons live."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.logs()
            assert all(process.poll() is None for process in self.started), self.logs()
            time.sleep(0.1)

    def logs(self):
        """The end of what the daemons said."""
        return "\n".join(f"{file.name}\n{file.read_text()[-2000:]}" for file in sorted(self.folder.glob("*.log")))

    def close(self):
        """End every process that was started here, also those that the daemons have started, and remove the folder."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        """The processes that have this cluster in their environment."""
        mine = f"SLURM_CONF={self.configuration}".encode()
        found = []
        for place in Path("/proc").iterdir():
            if place.name.isdecimal() and int(place.name) != os.getpid():
                try:
                    if mine in (place / "environ").read_bytes().split(b"\0"):
                        found.append(int(place.name))
                except OSError:  # it has ended, or is another user's
                    continue
        return found

    def _start(self, name, *options):
        with (self.folder / f"{name}.out.log").open("wb") as output:
            self.started.append(
                subprocess.Popen(
                    [program(name), *options],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
