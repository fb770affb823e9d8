"""A training by hand whose process kills itself at one of the moments at which something is written."""

import os
import signal
import sys

from faults.by_hand import EPOCHS, drive

OPERATIONS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "fsync")
"""Those that change a folder or make a file, by the names of Python's audit events, and what brings it to the disk."""


def drive_until(folder, operation, epochs=EPOCHS, tell=lambda text: None):
    """Drive callbacks, and be killed before an operation on the files of a run.

    Args:
        folder: The run directory.
        operation: Which, from 0; none if there are fewer. How many there are is told.
        epochs: As of `drive`.
        tell: Is given the number of operations in the end.
    """
    count = 0

    def see(name, arguments):
        nonlocal count
        if name in OPERATIONS and (name == "fsync" or _writes(name, arguments, str(folder))):
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    real = os.fsync

    def fsync(descriptor):
        see("fsync", ())
        real(descriptor)

    os.fsync = fsync
    sys.addaudithook(see)
    drive(folder, epochs, each_state=True)
    tell(f"operations {count}")


def _writes(name, arguments, folder):
    path = str(arguments[0])
    if not path.startswith(folder):
        return False
    return name != "open" or not isinstance(arguments[2], int) or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
