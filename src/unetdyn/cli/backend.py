"""The backend of a run, chosen before Keras chooses one."""

import os
import sys
from pathlib import Path

from unetdyn import runs


def take_backend_of(run: Path) -> None:
    """Have Keras take the backend that a run was made with, unless the environment names one; a file says none.

    Args:
        run: A run directory, or a `.keras` file.

    Raises:
        FileNotFoundError: If it is neither.
    """
    if run.is_file():
        return
    backend = runs.open(run).header.get("backend")
    if "keras" not in sys.modules and isinstance(backend, str) and backend:
        os.environ.setdefault("KERAS_BACKEND", backend)
